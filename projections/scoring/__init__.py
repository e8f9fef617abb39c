"""What will the customer do next? Targets, features and models that learn as the log flows."""
