"""What happened: the events, their schemas, and their wire format."""
