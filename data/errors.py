"""Errors that a user reads: what was refused, why, and what to do."""


class Refused(Exception):
    """A sentence for the user: what was refused, why, and what to do. Base of every refusal of the product."""


class Misused(Refused):
    """What was asked for is not there or cannot be; nothing was looked at. The command line ends with 2, not 1."""
