"""How it flows: the logs, the Faust app, the batch lane, and its agents."""
