"""What is known of one pump after an item: the value that the fold takes and gives.

Everything is plain: arrays of the kernels, a few clinical facts, the alert book. `encode`/`decode` turn it into the bytes
that the store keeps.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from kernels import step
from processors.alerts import Book
from processors.conformal import Conformal
from processors.day_balance import Days
from processors.flow_swings import Looks
from processors.timeline import GENESIS, NEVER_US, Clock, Key
from processors.watches import Bridge, DeviceWord, Overdue, Refill, Restart

_LONGEST_US: Final = 2**61


def whole_us(seconds: float) -> int:
    """Seconds, 0 or more, in whole microseconds; a span beyond all calendars stays one that an int64 holds."""
    return round(min(seconds * 1e6, float(_LONGEST_US)))


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """The program that runs: head float64[8], schedule float64[n, 2], boluses float64[m, 5] (kernels.dose)."""

    head: NDArray[np.float64]
    schedule: NDArray[np.float64]
    boluses: NDArray[np.float64]


class Clinic(msgspec.Struct, frozen=True, kw_only=True):
    """What people did, as far as later rules need it.

    `reference_daily_ul`: daily volume of the last continuous or flex program above 0. `device_stall`: the device says that
    its motor stands. `rotor_windows_us`: (declared from, to) of MRI windows. `recent_fills`: (time, concentration that was
    in the reservoir before it, ug/mL) of the last day's. `doses`: (from, to, ug a day) as programmed in the last year;
    the present one ends at LATEST_US. `unsized_fill`: of a fill to a nominal volume that is not known yet, the ledgers of
    delivered and of all programmed volume as they stood then, uL. `bridge` .. `device`: what rules over more than one event
    wait for (processors.watches).
    """

    stability_days: float = 180.0
    high_risk: bool = False
    filled_us: int | None = None
    reference_daily_ul: float | None = None
    device_stall: bool = False
    rotor_windows_us: tuple[tuple[int, int], ...] = ()
    recent_fills: tuple[tuple[int, float], ...] = ()
    doses: tuple[tuple[int, int, float], ...] = ()
    unsized_fill: tuple[float, float] | None = None
    bridge: Bridge | None = None
    overdue: Overdue | None = None
    restart: Restart = Restart()
    refill: Refill | None = None
    device: DeviceWord = DeviceWord()


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The open dose window: its aligned start, and the ledgers and the number of measuring rows as they stood there."""

    from_us: int
    opened: tuple[float, ...]
    rows: float


class PumpState(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One pump. `head`: key of the last item; `x`: float64[512] of kernels.state; `received_us`: newest received folded.

    `device_alarm_us`, `low_us`, `empty_us`: as foreseen when last judged: the device's own alarm, the estimated volume at the
    low level, and the quantiles of empty. `risk_us`: when the drug level is looked at again (processors.risk).
    `conformal`: how wide the intervals of the forecasts are (processors.conformal). `days`: what the level did (processors.day_balance).
    `looks`: what a measured flow showed of the program (processors.flow_swings).
    `ready`: what was last said of the readiness of each cause (processors.readiness); empty before the first row.
    """

    pump: str
    x: NDArray[np.float64]
    program: Program
    book: Book
    head: Key = GENESIS
    clock: Clock = Clock()
    clinic: Clinic = Clinic()
    window: Window | None = None
    midnight_us: int | None = None
    crossing_us: int | None = None
    risk_us: int | None = None
    device_alarm_us: int | None = None
    low_us: int | None = None
    empty_us: tuple[int | None, int | None, int | None] = (None, None, None)
    conformal: Conformal = Conformal()
    days: Days = Days()
    looks: Looks = Looks()
    received_us: int = NEVER_US
    explanted: bool = False
    ready: tuple[int, ...] = ()

    def copy(self) -> PumpState:
        """The same value with a numeric vector of its own, so that a fold may write into it."""
        return msgspec.structs.replace(self, x=self.x.copy())


def begin(pump: str) -> PumpState:
    """A pump of which nothing is known."""
    program = Program(head=np.zeros(8), schedule=np.zeros((1, 2)), boluses=np.empty((0, 5)))
    return PumpState(pump=pump, x=step.fresh(), program=program, book=Book(pump=pump))


def _to_wire(part: Any) -> Any:
    if isinstance(part, np.ndarray):
        return [part.shape, part.astype("<f8", copy=False).tobytes()]
    msg = f"no wire form for {type(part)}"
    raise NotImplementedError(msg)


def _from_wire(kind: type, part: Any) -> Any:
    del kind
    shape, cells = part
    return np.frombuffer(cells, dtype="<f8").reshape(shape).copy()


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_to_wire)


def encode(part: Any) -> bytes:
    """MessagePack of a state, or of a struct that holds one."""
    return _ENCODER.encode(part)


def decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """A decoder of what `encode` wrote."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_from_wire)
