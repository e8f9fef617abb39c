"""Who is told of what: segments, triggers, and the decision on each transition."""
