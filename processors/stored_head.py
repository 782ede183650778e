"""What pages read of a pump's stored head without loading the kernels that wrote it: what can be seen, how much was folded."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from contract.errors import StaleStateError
from contract.facts import Readiness
from kernels import state as s
from processors import ready_words
from processors.versions import STATE_VERSION


class _Physics(Struct, frozen=True, kw_only=True):
    pump: str
    head: tuple[Any, ...]
    x: tuple[Any, bytes]
    ready: tuple[int, ...] = ()


class _Head(Struct, frozen=True, kw_only=True):
    version: str
    physics: _Physics


class HeadSeen(Struct, frozen=True, kw_only=True):
    """`rows`: telemetry rows folded; `readiness`: of each cause that needs a channel, empty before the first row."""

    rows: int
    readiness: tuple[Readiness, ...]


_DECODER: Final = msgspec.msgpack.Decoder(_Head)


def seen(blob: bytes) -> HeadSeen:
    """Read a head's bytes (processors.heads.encode); StaleStateError if other rules wrote it."""
    try:
        head = _DECODER.decode(blob)
    except msgspec.DecodeError as unreadable:
        raise StaleStateError(str(StaleStateError.__doc__)) from unreadable
    if head.version != STATE_VERSION:
        raise StaleStateError(str(StaleStateError.__doc__))
    physics = head.physics
    rows = float(np.frombuffer(physics.x[1], dtype="<f8")[s.ROWS])
    said = ready_words.said(physics.pump, physics.head[0], physics.ready)
    return HeadSeen(rows=int(rows), readiness=tuple(said))
