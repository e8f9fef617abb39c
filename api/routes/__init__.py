"""Which calls are there? One file a group."""
