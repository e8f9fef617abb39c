"""What you can ask: the HTTP routes, the read model, and the dashboard."""
