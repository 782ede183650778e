"""Lengths of time in the microseconds of the state."""

from __future__ import annotations

from typing import Final

HOUR_US: Final = 3.6e9
DAY_US: Final = 24.0 * HOUR_US
