"""The simulated fleet: healthy pumps whose frames are put together from pieces made once, at some microseconds each.

Every pump runs at a constant rate. Its counter and its reservoir follow from the clock, pressure and motor current are
noise around a level out of a pool drawn from the seed. Frame `n` of the run is pump `n % pumps`, number `n // pumps`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from contract.codec import encode_wire
from contract.events import (
    CHANNELS,
    Event,
    ProgramSet,
    ProgramStep,
    PumpExplanted,
    PumpRegistered,
    ReservoirFilled,
    Telemetry,
)
from contract.times import HOUR_US, format_us

PRESENT: Final = ("delivered_ul", "reservoir_ml", "pressure_kpa", "motor_ma")
RATE_UL_H: Final = 100 / 24
ENCODER_UL: Final = 0.05
FILLED_ML: Final = 20.0
INTRODUCED: Final = ("registered", "filled", "program")
ENDED: Final = "explanted"
POOL: Final = 512
_PACKED_UINT32: Final = b"\xce"
_MARKED_SEQ: Final = 0xA5A5A5A5  # seldom enough in other bytes to be found as the place of the number
_MARKED_US: Final = 1_111_111_111_111_111
_DIGITS: Final = 10


def introduction(pump: str, at_us: int) -> list[bytes]:
    """Registration, fill and program of one healthy pump, as they travel on Kafka."""
    said: Any = {"v": 1, "pump": pump, "source": "clinic", "at_us": at_us}
    events: list[Event] = [
        PumpRegistered(
            id=f"{pump}-registered",
            model="bench",
            reservoir_ml=FILLED_ML,
            low_reservoir_ml=2.0,
            dead_volume_ul=350.0,
            min_rate_ul_h=0.25,
            max_rate_ul_h=1000.0,
            flow_tolerance=0.145,
            encoder_ul_per_count=ENCODER_UL,
            **said,
        ),
        ReservoirFilled(
            id=f"{pump}-filled",
            removed_ml=None,
            filled_ml=FILLED_ML,
            concentration_ug_ml=500.0,
            drug="baclofen",
            **said,
        ),
        ProgramSet(
            id=f"{pump}-program",
            mode="continuous",
            steps=(ProgramStep(minute=0, rate_ul_h=RATE_UL_H),),
            **said,
        ),
    ]
    return [encode_wire(event) for event in events]


def farewell(pump: str, at_us: int) -> bytes:
    """The end of a pump's watch, as it travels on Kafka: without it a whole fleet would be silent half an hour later."""
    return encode_wire(
        PumpExplanted(
            id=f"{pump}-{ENDED}", v=1, pump=pump, source="clinic", at_us=at_us, reason="end of a load run"
        )
    )


class Fleet:
    """The pumps of one run.

    Parameters
    ----------
    run
        Part of every name, so that two runs on one database never meet.
    began_us
        When all of them were filled and programmed.
    """

    def __init__(self, run: str, pumps: int, samples: int, period_s: float, began_us: int, seed: int) -> None:
        self.names = [f"load-{run}-{number:06d}" for number in range(pumps)]
        self.began_us = began_us
        self._samples = samples
        self._length_us = round(samples * period_s * 1e6)
        self._t_h = np.arange(samples) * (period_s / 3600.0)
        drawn = np.random.default_rng(seed).standard_normal((3, POOL, samples))
        self._level_noise_ml = 0.02 * drawn[0]
        self._pressures = [(1.5 + 0.2 * row).tobytes() for row in drawn[1]]
        self._currents = [(30.0 + row).tobytes() for row in drawn[2]]
        self._pieces = self._template(period_s)

    def identity(self, frame: int) -> tuple[str, str]:
        """Pump and id of a frame of the run."""
        turn, number = divmod(frame, len(self.names))
        pump = self.names[number]
        return pump, f"{pump}-{turn:0{_DIGITS}d}"

    def introductions(self) -> tuple[list[bytes], list[str]]:
        """Registration, fill and program of every pump, and their ids in the same order."""
        events = [event for pump in self.names for event in introduction(pump, self.began_us)]
        return events, [f"{pump}-{what}" for pump in self.names for what in INTRODUCED]

    def farewells(self, at_us: int) -> tuple[list[bytes], list[str]]:
        """The end of every pump's watch, and its id."""
        return [farewell(pump, at_us) for pump in self.names], [f"{pump}-{ENDED}" for pump in self.names]

    def clinical_ids(self, pump: int) -> list[str]:
        """Ids of all that is said of a pump but its frames."""
        return [f"{self.names[pump]}-{what}" for what in (*INTRODUCED, ENDED)]

    def frame(self, number: int, due_us: int) -> bytes:
        """Frame `number` of the run, whose rows end a period before `due_us`, as it travels on Kafka."""
        pump, identity = self.identity(number)
        at_us = due_us - self._length_us
        moved_ul = RATE_UL_H * ((at_us - self.began_us) / HOUR_US + self._t_h)
        drawn = (number * 7919) % POOL  # a prime: neighbours differ, and a pump meets every row of the pool
        contents = (
            identity.encode(),
            pump.encode(),
            (number // len(self.names)).to_bytes(4, "big"),
            format_us(at_us).encode(),
            (np.floor(moved_ul / ENCODER_UL) * ENCODER_UL).tobytes(),
            (FILLED_ML - moved_ul / 1000.0 + self._level_noise_ml[drawn]).tobytes(),
            self._pressures[drawn],
            self._currents[drawn],
        )
        woven: list[bytes] = [self._pieces[0]]
        for content, piece in zip(contents, self._pieces[1:], strict=True):
            woven += (content, piece)
        return b"".join(woven)

    def _template(self, period_s: float) -> list[bytes]:
        """Return what stands between the eight contents of `frame`, cut out of a frame of the contract's own encoder."""
        samples = self._samples
        pump, identity = self.names[-1], f"{self.names[-1]}-{0:0{_DIGITS}d}"
        columns = np.full((len(CHANNELS), samples), np.nan)
        for mark, name in enumerate(PRESENT):
            columns[CHANNELS.index(name)] = -1e9 - mark
        marked = Telemetry(
            id=identity, v=1, pump=pump, source="device", seq=_MARKED_SEQ, at_us=_MARKED_US,
            t_s=np.arange(samples) * np.float64(period_s), columns=columns, present=frozenset(PRESENT),
        )  # fmt: skip
        rest, pieces = encode_wire(marked), []
        contents = [
            msgspec.msgpack.encode(identity),
            msgspec.msgpack.encode(pump),
            _PACKED_UINT32 + _MARKED_SEQ.to_bytes(4, "big"),
            msgspec.msgpack.encode(format_us(_MARKED_US)),
            *(columns[CHANNELS.index(name)].tobytes() for name in PRESENT),
        ]
        lengths = [len(identity), len(pump), 4, len(format_us(_MARKED_US)), *[samples * 8] * len(PRESENT)]
        for content, length in zip(contents, lengths, strict=True):
            before, found, rest = rest.partition(content)
            assert found, "the contract's encoder orders a frame's fields as before"
            pieces.append(before + content[: len(content) - length])
        return [*pieces, rest]
