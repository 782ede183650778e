"""Ids of the events that our own producers make."""

from __future__ import annotations

from typing import Final

RANDOM_BYTES: Final = 10


def uuid7(created_us: int, random: bytes) -> str:
    """Return a UUIDv7 (RFC 9562) of a creation time; 74 of the 80 bits of `random` go into it."""
    bits = int.from_bytes(random, "big")
    number = ((created_us // 1000) & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | (bits >> 68 & 0xFFF) << 64
    number |= 0b10 << 62 | bits & 0x3FFFFFFFFFFFFFFF
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
