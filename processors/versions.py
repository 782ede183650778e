"""Which rules wrote a stored state: one of other rules is folded anew from the log."""

from __future__ import annotations

from typing import Final

from contract.facts import KERNEL
from kernels import state as columns

STATE_VERSION: Final = f"{KERNEL}/{columns.VERSION}"
