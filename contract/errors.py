"""The one root error and its few leaves; every message says what to do next."""

from __future__ import annotations


class ThecaflowError(Exception):
    """Something Thecaflow can name went wrong; the message says what to do next."""

    exit_code: int = 1


class UnusableInputError(ThecaflowError):
    """Arguments, settings or a file that cannot be used; correct them and run the command again."""

    exit_code = 2


class InvalidTimeError(ThecaflowError, ValueError):
    """A time that is not RFC 3339 with an offset; write it like 2026-01-31T08:00:00.000000Z."""


class UnreachableError(ThecaflowError):
    """The broker or the database does not answer; transient, so wait and try again."""


class UnreadableLogError(ThecaflowError):
    """The log of record holds what this version can't decode; report it, and keep the log."""


class StaleStateError(ThecaflowError):
    """A stored state was written by other rules. Stop the workers, run `thecaflow rebuild` once, then start them again."""


class SchemaVersionError(ThecaflowError):
    """The stored schema or state is of another version; run the migrations or a rebuild."""
