"""What may be said to Thecaflow: the events of contract version 1.

Times are integer microseconds since 1970-01-01T00:00:00Z inside Python (`at_us`) and RFC 3339 strings on the wire (`at`);
every other attribute has its wire name. Units are in the names. Optional fields that were absent are `None`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from contract.facts import Cause

CONTRACT_VERSION: Final = 1

TimeUs: TypeAlias = int  # microseconds since 1970-01-01T00:00:00Z; RFC 3339 text on the wire
EventId = Annotated[str, Meta(min_length=1, max_length=256)]
PumpId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z")]
Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]
NonNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
MinuteOfDay = Annotated[int, Meta(ge=0, le=1439)]
Weekday = Annotated[int, Meta(ge=0, le=6)]  # Monday is 0
UtcOffsetMin = Annotated[int, Meta(ge=-1440, le=1440)]

Source: TypeAlias = Literal["device", "clinic", "system"]
ProgramMode: TypeAlias = Literal["continuous", "flex", "minimum_rate", "stopped"]
BolusKind: TypeAlias = Literal["therapeutic", "test", "priming", "bridge"]
Route: TypeAlias = Literal["pump", "lumbar"]
AlarmCode: TypeAlias = Literal[
    "low_reservoir",
    "empty_reservoir",
    "motor_stall",
    "stall_recovered",
    "eri",
    "eos",
    "safe_state",
    "no_delivery",
    "memory_error",
    "other",
]
StatedLedger: TypeAlias = Literal["delivered", "reservoir"]
NoteKind: TypeAlias = Literal["mri_window", "infection", "procedure", "other"]
Scale: TypeAlias = Literal["ashworth", "penn", "tardieu", "weefim"]

CHANNELS: Final[tuple[str, ...]] = (
    "delivered_ul",
    "flow_ul_h",
    "reservoir_ml",
    "pressure_kpa",
    "inlet_kpa",
    "motor_ma",
    "motor_v",
    "vibration_g",
    "vibration2_g",
    "temperature_c",
    "fluid_c",
    "battery_v",
    "stalled",
)
CHANNEL_INDEX: Final[dict[str, int]] = {name: row for row, name in enumerate(CHANNELS)}

WIRE_TIMES: Final[dict[str, str]] = {
    "at_us": "at",
    "received_us": "received",
    "from_us": "from",
    "to_us": "to",
    "until_us": "until",
}


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", rename=WIRE_TIMES):
    """The fields that every event of a pump carries; never sent by itself."""

    v: Literal[1] = CONTRACT_VERSION
    id: EventId
    pump: PumpId
    source: Source
    seq: Sequence | None = None
    at_us: TimeUs
    received_us: TimeUs | None = None


class PumpRegistered(Envelope, frozen=True, kw_only=True, tag="pump_registered"):
    """The limits and properties of one pump, from its data sheet and its clinic."""

    model: str
    reservoir_ml: NonNegative
    low_reservoir_ml: NonNegative
    dead_volume_ul: NonNegative
    min_rate_ul_h: NonNegative
    max_rate_ul_h: NonNegative
    flow_tolerance: NonNegative
    encoder_ul_per_count: Positive | None = None
    encoder_wrap_ul: Positive | None = None
    compliance_ul_per_kpa: NonNegative | None = None
    pressure_limit_kpa: float | None = None
    stability_days: NonNegative = 180.0
    high_risk: bool = False
    site: str | None = None
    upload_every_s: Positive | None = None


class ReservoirFilled(Envelope, frozen=True, kw_only=True, tag="reservoir_filled"):
    """The reservoir was emptied and filled; a volume that nobody knows is `None`."""

    removed_ml: NonNegative | None
    filled_ml: NonNegative | None
    concentration_ug_ml: NonNegative
    drug: str


class ProgramStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rate from a minute of the local day on; `days` None means every day."""

    minute: MinuteOfDay
    rate_ul_h: NonNegative
    days: tuple[Weekday, ...] | None = None


class PeriodicBolus(msgspec.Struct, frozen=True, kw_only=True):
    """Pulses added to the steps, at the start of the local day and every `every_s` from there."""

    volume_ul: NonNegative
    every_s: Positive
    duration_s: NonNegative


class ProgramSet(Envelope, frozen=True, kw_only=True, tag="program_set"):
    """The program that runs from `at` on."""

    mode: ProgramMode
    steps: tuple[ProgramStep, ...]
    utc_offset_min: UtcOffsetMin | None = None
    periodic_bolus: PeriodicBolus | None = None


class Bolus(Envelope, frozen=True, kw_only=True, tag="bolus"):
    """A single bolus; `route` is filled in as the contract says when it was absent."""

    kind: BolusKind
    programmed_ul: NonNegative
    delivered_ul: NonNegative | None = None
    duration_s: NonNegative | None = None
    dose_ug: NonNegative | None = None
    route: Route | None = None

    def __post_init__(self) -> None:
        """Give an absent `route` its contract default."""
        if self.route is None:
            msgspec.structs.force_setattr(self, "route", "lumbar" if self.kind == "test" else "pump")


class Suspended(Envelope, frozen=True, kw_only=True, tag="suspended"):
    """The program and any running bolus stopped."""

    reason: str | None = None


class Resumed(Envelope, frozen=True, kw_only=True, tag="resumed"):
    """The program set before the suspension runs again."""

    reason: str | None = None


class DeviceAlarm(Envelope, frozen=True, kw_only=True, tag="device_alarm"):
    """The device raised an alarm of its own."""

    code: AlarmCode
    text: str


class VolumeReported(Envelope, frozen=True, kw_only=True, tag="volume_reported"):
    """A total that the device states itself."""

    ledger: StatedLedger
    value_ul: NonNegative
    from_us: TimeUs
    to_us: TimeUs


class Note(Envelope, frozen=True, kw_only=True, tag="note"):
    """Something that people know and devices do not, such as an MRI window."""

    kind: NoteKind
    from_us: TimeUs
    to_us: TimeUs
    text: str


class Assessment(Envelope, frozen=True, kw_only=True, tag="assessment"):
    """A clinical score."""

    scale: Scale
    score: NonNegative
    site: str | None = None


class AlertAck(Envelope, frozen=True, kw_only=True, tag="alert_ack"):
    """Somebody acknowledged an alert, by its id or by its cause."""

    alert_id: str | None = None
    cause: Cause | None = None
    actor: str | None = None
    reason: str | None = None


class AlertShelved(Envelope, frozen=True, kw_only=True, tag="alert_shelved"):
    """Somebody put an alert aside until a time."""

    alert_id: str | None = None
    cause: Cause | None = None
    actor: str | None = None
    reason: str | None = None
    until_us: TimeUs


class PumpExplanted(Envelope, frozen=True, kw_only=True, tag="pump_explanted"):
    """The pump was taken out; program, deadlines, alerts and windows end."""

    reason: str


class Telemetry(Envelope, frozen=True, kw_only=True, eq=False, tag="telemetry"):
    """A frame of n rows.

    `t_s`: float64[n], seconds after `at`, ascending (equal neighbours allowed). `columns`: float64[13, n] in C order, one
    row of the array for each of `CHANNELS`, NaN where the device reported nothing. `present`: the channels that were on
    the wire. Arrays may be read-only.
    """

    t_s: NDArray[np.float64]
    columns: NDArray[np.float64]
    present: frozenset[str]

    def rows_us(self) -> NDArray[np.int64]:
        """Raw row times, int64[n] microseconds: `at_us` + `t_s` rounded to 1 us (half to even)."""
        return np.rint(self.t_s * 1e6).astype(np.int64) + np.int64(self.at_us)

    def __eq__(self, other: object) -> bool:
        """Equal in the envelope and in every number, null equal to null."""
        if not isinstance(other, Telemetry):
            return NotImplemented
        return (
            all(getattr(self, name) == getattr(other, name) for name in Envelope.__struct_fields__)
            and self.present == other.present
            and np.array_equal(self.t_s, other.t_s)
            and np.array_equal(self.columns, other.columns, equal_nan=True)
        )

    def __hash__(self) -> int:
        """By pump and id, which name an event."""
        return hash((self.pump, self.id))


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="tick", rename=WIRE_TIMES):
    """It is now at least `at`; on Kafka only, without a pump."""

    v: Literal[1] = CONTRACT_VERSION
    at_us: TimeUs


PumpEvent: TypeAlias = (
    PumpRegistered
    | ReservoirFilled
    | ProgramSet
    | Bolus
    | Suspended
    | Resumed
    | Telemetry
    | DeviceAlarm
    | VolumeReported
    | Note
    | Assessment
    | AlertAck
    | AlertShelved
    | PumpExplanted
)
Event: TypeAlias = PumpEvent | Tick

PUMP_EVENT_TYPES: Final[tuple[type[PumpEvent], ...]] = (
    PumpRegistered,
    ReservoirFilled,
    ProgramSet,
    Bolus,
    Suspended,
    Resumed,
    Telemetry,
    DeviceAlarm,
    VolumeReported,
    Note,
    Assessment,
    AlertAck,
    AlertShelved,
    PumpExplanted,
)


def type_name(event: Event | type[Event]) -> str:
    """Return the wire name of an event's type, such as `program_set`."""
    return str(event.__struct_config__.tag)


TYPES: Final[dict[str, type[Event]]] = {
    **{type_name(event_type): event_type for event_type in PUMP_EVENT_TYPES},
    "tick": Tick,
}
EVENT_TYPE: Final[tuple[str, ...]] = tuple(TYPES)
