"""What it means: pure folds of events into customer state, without I/O and without a clock."""
