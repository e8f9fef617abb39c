"""How does a command say no?"""


class Refused(Exception):
    """The command cannot do what was asked; the message is one sentence with the remedy. Exit 2."""
