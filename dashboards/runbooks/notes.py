"""What a runbook says of a cause beyond what every page shows: how it is seen, what resembles it, what ends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contract.facts import Cause


@dataclass(frozen=True, slots=True)
class Note:
    """Three sentences or so for one cause."""

    seen_by: str
    look_alike: str
    ends: str


_LATCHES: Final = "When the condition has gone it stays open, latched, until somebody acknowledges it."
_SILENTLY: Final = "It clears by itself when the condition has gone."
_EVENT: Final = "A new program, refill or note that makes it wrong ends it; until then it stays open."

NOTES: Final[Mapping[Cause, Note]] = MappingProxyType(
    {
        Cause.OCCLUSION: Note(
            "The outlet pressure climbs by flow / compliance, and stops following posture and breathing. Medium while only the "
            "resistance rises and delivery is kept.",
            "A change of posture, of altitude or of the weather: they go back by themselves and move the inlet as well.",
            _LATCHES,
        ),
        Cause.STARVATION: Note(
            "The inlet pressure falls while the motor turns, and measured flow stays behind the encoder.",
            "A low reservoir (its own alert), or a flight.",
            _LATCHES,
        ),
        Cause.LEAK: Note(
            "The resistance behind the outlet falls away, while flow and reservoir go on.",
            "Drift of the pressure sensor; a probe of the catheter during a visit.",
            _LATCHES,
        ),
        Cause.AIR_IN_LINE: Note(
            "Short unloadings of the motor and a soft outlet pressure, soon after a refill or near an empty reservoir.",
            "A change of the relay's sampling, after which all channels look different at once.",
            _LATCHES,
        ),
        Cause.DRIVE_WEAR: Note(
            "Current and vibration of the drive rise over weeks beyond the pump's own habit.",
            "A cold pump after surgery or an MRI; a new program with another rate.",
            _SILENTLY,
        ),
        Cause.MOTOR_STALL: Note(
            "Volume was asked for and the encoder has not moved for longer than it ever does at this rate; or the pump's own alarm. "
            "High once harm is predicted within 6 hours.",
            "A declared MRI window: nothing above info until 2 hours after it. A suspended pump is none.",
            _LATCHES,
        ),
        Cause.STALL_OVERDUE: Note(
            "Still standing 2 hours after a declared MRI window (medium), 24 hours after it (high).",
            "A window that was noted with the wrong end.",
            _LATCHES,
        ),
        Cause.RESTART_OVERDOSE: Note(
            "Flow above tolerance, or the release of stored volume, after a stop, stall or occlusion of 24 hours or more.",
            "A purposeful bolus after a stop, which stands in the events.",
            _LATCHES,
        ),
        Cause.OVER_DELIVERY: Note(
            "The 95 % interval of delivered / programmed lies above the pump's tolerance (14.5 % if not stated otherwise).",
            "A bolus or program that was not entered here; a level sensor that drifts.",
            _LATCHES,
        ),
        Cause.UNDER_DELIVERY: Note(
            "The 95 % interval of delivered / programmed lies below the pump's tolerance.",
            "A refill of less than was entered; a level sensor that drifts; an MRI that was not noted.",
            _LATCHES,
        ),
        Cause.DRY_BEFORE_ALARM: Note(
            "The forecast gives 50 % or more that the reservoir is empty before the pump's own alarm, which counts by the program. "
            "High within 14 days of it.",
            "A refill that was not entered.",
            "It goes below 20 %, most often by a refill. " + _LATCHES,
        ),
        Cause.RESERVOIR_LOW: Note(
            "The median estimate is at or below the pump's alarm level.",
            "A refill that was not entered.",
            "A refill ends the condition. " + _LATCHES,
        ),
        Cause.RESERVOIR_EMPTY: Note(
            "The median estimate is at or below 0 mL. The reading 0 is a reading, never a missing one.",
            "A refill that was not entered.",
            "A refill ends the condition. " + _LATCHES,
        ),
        Cause.REFILL_DUE: Note(
            "Within 14 days the volume reaches the alarm level, or the drug its stability limit, whichever is first.",
            "A refill that was done and not entered.",
            "A refill ends it. " + _SILENTLY,
        ),
        Cause.REFILL_MISMATCH: Note(
            "What was drawn out, or the level after the filling, differs from the ledgers by more than 1 mL (20 mL pump) or 2 mL "
            "(40 mL pump).",
            "A syringe that was read wrongly; volumes entered the other way round.",
            _LATCHES,
        ),
        Cause.BRIDGE_MISSING: Note(
            "A filling with another concentration, and within an hour no bridge bolus that covers the dead volume to 10 %.",
            "A concentration that was entered wrongly.",
            "The old drug has left the dead volume. " + _LATCHES,
        ),
        Cause.PROGRAM_IMPLAUSIBLE: Note(
            "A program outside the pump's limits, or with more than three times the daily dose of the one before.",
            "A wanted large step after a long minimum-rate mode: the last real program counts, not that mode.",
            _EVENT,
        ),
        Cause.OVERDOSE_RISK: Note(
            "The model's drug level, over the whole range of half-lives of 0.9 to 6 hours, is above the patient's own.",
            "A purposeful test dose, which stands in the events.",
            _LATCHES,
        ),
        Cause.WITHDRAWAL_RISK: Note(
            "The model's drug level, over the whole range of half-lives of 0.9 to 6 hours, falls below the patient's own.",
            "A purposeful taper, which stands in the events.",
            _LATCHES,
        ),
        Cause.TOLERANCE_REVIEW: Note(
            "At a new program: the daily dose is more than 100 ug above its lowest of the last 365 days.",
            "A dose that returns after a pause.",
            "Nobody is paged. " + _SILENTLY,
        ),
        Cause.BATTERY_ERI: Note("The pump says so.", "None.", _SILENTLY),
        Cause.BATTERY_EOS: Note("The pump says so.", "None.", _LATCHES),
        Cause.SAFE_STATE: Note("The pump says so.", "None.", _LATCHES),
        Cause.TELEMETRY_SILENT: Note(
            "No upload for three times the usual interval, 30 minutes at least. High after 24 hours of it.",
            "A pump that uploads once a day is silent after three days, not after an hour. A whole site is `SiteSilent`.",
            "The next upload ends the condition; what came late was silent until it came. " + _LATCHES,
        ),
        Cause.CLOCK_SKEW: Note(
            "Events that lie a minute or more after the moment at which they were received, or that go back in time.",
            "The gateway's own clock (`GatewayClockOff`): then many pumps have it at once.",
            _SILENTLY,
        ),
        Cause.DEVICE_DISAGREES: Note(
            "A total that the pump states itself lies outside the interval of ours for the same time.",
            "A bolus or program that was not entered here.",
            _LATCHES,
        ),
        Cause.MONITORING_LOST: Note(
            "A channel that a detector needs was empty, or constant beyond its own habit, for 6 hours of rows, and no other "
            "replaces it.",
            "A pump that never had that channel: it is not missed.",
            _LATCHES,
        ),
        Cause.UNCLASSIFIED: Note(
            "Something left the pump's own habit, and no signature fits.",
            "None: it is what is said when nothing else can be.",
            _SILENTLY,
        ),
    }
)
