"""How you run it: the headwater command, one file a command group."""
