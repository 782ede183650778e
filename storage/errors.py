"""What can only go wrong between the fold and storage."""

from __future__ import annotations

from contract.errors import ThecaflowError


class InconsistentChangesError(ThecaflowError):
    """The fold and the database disagree about what is stored; stop, keep the log, and report it."""
