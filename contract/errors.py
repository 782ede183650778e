"""The one root of the errors that the system raises on purpose."""


class ThecaflowError(Exception):
    """Something a person can act on; the message says what to do next."""
