"""What people are told of each cause: its title, what it does to the patient, what is looked at first.

One catalogue for the alert rules, the runbooks, the console and the demo, so that a cause has the same words everywhere. The
sentences are information for staff who know the patient, never an order and never a dose; facts and sources: docs/domain.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from contract.facts import Cause

Harm: TypeAlias = Literal["withdrawal", "overdose", "withdrawal or overdose", "none"]

RUNBOOK: Final = "dashboards/runbooks/pumps.md"


@dataclass(frozen=True, slots=True)
class CauseText:
    """The words for one cause; `first_checks` are short sentences, the most telling first."""

    cause: Cause
    title: str
    """What is wrong, in plain words; stands after the name of a pump: "P-17: the catheter may be blocked"."""
    effect: str
    """What it does to the patient, one sentence."""
    harm: Harm
    """What an alert's `harm_at` counts down to."""
    first_checks: tuple[str, ...]

    @property
    def alert_name(self) -> str:
        """Name of the alerting rule, which is the runbook's heading too: `DryBeforeAlarm`."""
        return "".join(word.capitalize() for word in self.cause.split("_"))

    @property
    def runbook_anchor(self) -> str:
        """Anchor of the heading in the runbook: `drybeforealarm`."""
        return self.alert_name.lower()

    @property
    def runbook(self) -> str:
        """The heading, from the root of the repository."""
        return f"{RUNBOOK}#{self.runbook_anchor}"


_WITHDRAWAL: Final = "signs of withdrawal (itch, rebound spasm, fever) can begin 8 hours after delivery stops"
_OVERDOSE: Final = (
    "signs of overdose (drowsiness, shallow breathing, weakness) can begin within minutes to hours"
)

_TEXTS: Final = (
    CauseText(
        Cause.OCCLUSION,
        "the catheter may be blocked",
        f"Less or no drug arrives; {_WITHDRAWAL}. The drug held back is released at once when the block clears.",
        "withdrawal",
        (
            "How is the patient: itch, more spasm, fever, or a sudden loss of effect?",
            "The pump's own log shows whether it saw the pressure, or nothing at all.",
            "An image of the catheter shows a kink, a fracture or a tip out of place.",
            "What was stored behind the block arrives as a bolus once it clears: see the drug mass in the evidence.",
        ),
    ),
    CauseText(
        Cause.STARVATION,
        "the pump's inlet may be starved",
        f"The pump turns but draws too little from the reservoir; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "How much is in the reservoir by the last refill, and by the level reading?",
            "A recent refill, a change of altitude or of temperature changes the inlet's pressure.",
            "The pump's own log shows whether it reports flow.",
        ),
    ),
    CauseText(
        Cause.LEAK,
        "the catheter may leak or be disconnected",
        f"Drug is lost before the spinal fluid; {_WITHDRAWAL}, while the reservoir empties as expected.",
        "withdrawal",
        (
            "How is the patient: more spasm, itch, fever?",
            "Swelling at the pocket or along the catheter, or a headache that depends on posture.",
            "An image of the catheter shows a disconnection or a fracture.",
        ),
    ),
    CauseText(
        Cause.AIR_IN_LINE,
        "there may be air in the line",
        f"Gas passes instead of drug for a while; {_WITHDRAWAL} if it goes on.",
        "withdrawal",
        (
            "Was there a refill, a priming or a catheter procedure in the last days?",
            "The reservoir's level: an almost empty one draws gas.",
            "How is the patient: more spasm than before?",
        ),
    ),
    CauseText(
        Cause.DRIVE_WEAR,
        "the drive shows wear",
        "Nothing yet; wear of the shaft is the most common finding in pumps that later stalled.",
        "none",
        (
            "The pump's own log: motor stalls that recovered by themselves.",
            "The age of the pump, and the date on which its replacement is planned.",
            "The trend of the motor's current and vibration on the pump's page.",
        ),
    ),
    CauseText(
        Cause.MOTOR_STALL,
        "the motor stands still",
        f"No drug is delivered while it stands; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "Is the patient in an MRI scanner, or just out of one? The rotor stops there and normally starts again after.",
            "The pump's own log: stall, and whether it recovered; some pumps log it only at a second interrogation.",
            "How is the patient: itch, more spasm, fever?",
            "After a stop of 24 hours or more, a restart can be an overdose at an unchanged setting.",
        ),
    ),
    CauseText(
        Cause.STALL_OVERDUE,
        "the motor has not started again after the MRI",
        f"No drug is delivered since the scan; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "A second interrogation of the pump: recovery is sometimes logged only then.",
            "Delays of 2 to 24 hours have been reported after a scan.",
            "How is the patient: itch, more spasm, fever?",
        ),
    ),
    CauseText(
        Cause.RESTART_OVERDOSE,
        "delivery restarted after a long stop",
        f"Tolerance is lost after a stop and stored drug may be released; {_OVERDOSE}.",
        "overdose",
        (
            "How is the patient: drowsy, weak, breathing slowly?",
            "How long did delivery stop? After 48 hours and more the flow itself can be above the setting.",
            "The dose since the restart, beside the dose before the stop, is on the pump's page.",
        ),
    ),
    CauseText(
        Cause.OVER_DELIVERY,
        "the pump delivers more than programmed",
        f"The dose is higher than set, and the reservoir empties early; {_OVERDOSE} if the flow grows.",
        "overdose",
        (
            "How is the patient: drowsy, weaker than usual?",
            "The volume drawn out at the last refills, against what the program left.",
            "Over-infusion has followed a dry run, an overfill, an occlusion or a stop of more than 48 hours.",
            "The pump's own low-reservoir alarm counts by the program and can be too late.",
        ),
    ),
    CauseText(
        Cause.UNDER_DELIVERY,
        "the pump delivers less than programmed",
        f"The dose is lower than set; {_WITHDRAWAL} if the flow falls further.",
        "withdrawal",
        (
            "How is the patient: more spasm than before?",
            "The volume drawn out at the last refills, against what the program left.",
            "The pump's own log: stalls, resets, a low battery.",
            "An image of the catheter, if the pump itself is sound.",
        ),
    ),
    CauseText(
        Cause.DRY_BEFORE_ALARM,
        "the pump may run dry before its own alarm",
        f"It would stop without a warning tone; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "The date of the next refill, beside the earliest and median time of empty on the pump's page.",
            "The pump's own alarm counts by the program, not by what left the reservoir.",
            "The volume drawn out at the last refills, against what the program left.",
        ),
    ),
    CauseText(
        Cause.RESERVOIR_LOW,
        "the reservoir is low",
        "Nothing yet; the pump goes on until it is empty.",
        "withdrawal",
        (
            "The date of the next refill, beside the time of empty on the pump's page.",
            "Drug of the right concentration at hand.",
            "The last volume drawn out: does the estimate agree with it?",
        ),
    ),
    CauseText(
        Cause.RESERVOIR_EMPTY,
        "the reservoir is empty by our estimate",
        f"No drug is delivered; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "How is the patient: itch, more spasm, fever?",
            "The pump's own reservoir volume and alarm.",
            "Was there a refill that was not entered?",
            "A pump that ran dry can over-deliver after the next refill.",
        ),
    ),
    CauseText(
        Cause.REFILL_DUE,
        "a refill is due within two weeks",
        "Nothing yet; the reservoir reaches its alarm level, or the drug its stability limit.",
        "none",
        (
            "The date of the next visit; the reason (volume or stability) is in the evidence.",
            "Drug of the right concentration at hand.",
        ),
    ),
    CauseText(
        Cause.REFILL_MISMATCH,
        "the refill does not add up",
        "More or less drug than expected was in the pump; part of a filling may be outside the reservoir.",
        "withdrawal or overdose",
        (
            "How is the patient: drowsy, or more spasm? A filling into the pocket acts like an overdose.",
            "The volumes of the refill: drawn out, filled in, and the syringe's reading.",
            "Swelling or pain at the pocket.",
        ),
    ),
    CauseText(
        Cause.BRIDGE_MISSING,
        "another concentration without a bridge bolus",
        "The old drug in the tubing runs at the new rate: the dose is wrong until it is displaced, for days.",
        "withdrawal or overdose",
        (
            "The concentration before and after the refill, and the program set with it.",
            "The dead volume of tubing and catheter, and how long the new rate takes to displace it.",
            "How is the patient: drowsy, or more spasm?",
        ),
    ),
    CauseText(
        Cause.PROGRAM_IMPLAUSIBLE,
        "the new program is implausible",
        "The programmed dose is outside the pump's limits, or more than three times the one before.",
        "overdose",
        (
            "The program as printed by the programmer, beside the one before.",
            "The concentration in the reservoir: was a refill entered with another one?",
            "A mistyped decimal point or unit is the common reason.",
        ),
    ),
    CauseText(
        Cause.OVERDOSE_RISK,
        "the predicted drug level is above the patient's range",
        f"By the model, more drug is in the spinal fluid than usual; {_OVERDOSE}.",
        "overdose",
        (
            "How is the patient: drowsy, weak, breathing slowly?",
            "Which change came before: a bolus, a program, a refill, a restart?",
            "The level is a model's, with a wide range: the evidence states it.",
        ),
    ),
    CauseText(
        Cause.WITHDRAWAL_RISK,
        "the predicted drug level falls below the patient's range",
        f"By the model, too little drug is in the spinal fluid; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "How is the patient: itch, more spasm, fever?",
            "Which change came before: a stop, a program, a block, an empty reservoir?",
            "The pump's own log: does it deliver now?",
            "The level is a model's, with a wide range: the evidence states it.",
        ),
    ),
    CauseText(
        Cause.TOLERANCE_REVIEW,
        "the dose rose by more than 100 ug/day within a year",
        "Nothing by itself; a rising need can be tolerance, or a device that delivers less and less.",
        "none",
        (
            "The device first: reservoir volumes, the pump's log, an image of the catheter.",
            "An infection or another noxious stimulus raises spasticity, too.",
        ),
    ),
    CauseText(
        Cause.BATTERY_ERI,
        "the battery asks for replacement",
        "Nothing yet; about 90 days remain until the pump stops.",
        "none",
        (
            "The date of the pump's own replacement alarm.",
            "The date on which the replacement is planned.",
        ),
    ),
    CauseText(
        Cause.BATTERY_EOS,
        "the battery has reached its end",
        f"The pump stops; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "How is the patient: itch, more spasm, fever?",
            "The pump's own log: does it still deliver?",
        ),
    ),
    CauseText(
        Cause.SAFE_STATE,
        "the pump has reset itself to its safe state",
        f"Flow falls to a very low level until it is programmed again; {_WITHDRAWAL}.",
        "withdrawal",
        (
            "How is the patient: itch, more spasm, fever?",
            "The pump's own log: when it was reset, and the program now in force.",
            "How long flow was low: after a long stop, the old setting can be an overdose.",
        ),
    ),
    CauseText(
        Cause.TELEMETRY_SILENT,
        "the pump is not heard",
        "Unknown: the pump may well deliver, but nothing would be noticed here.",
        "none",
        (
            "The relay or phone that uploads: power, network, distance to the pump.",
            "Are other pumps of the site silent, too? Then the site's connection is the first suspect.",
            "How is the patient, and does the pump sound an alarm of its own?",
        ),
    ),
    CauseText(
        Cause.CLOCK_SKEW,
        "the device's clock is wrong",
        "None; times of this pump are corrected, but boluses by time of day run at the wrong hour.",
        "none",
        (
            "The clock of the relay or phone, then that of the pump.",
            "A program with different rates by time of day follows the pump's clock.",
        ),
    ),
    CauseText(
        Cause.DEVICE_DISAGREES,
        "the pump's own total disagrees with ours",
        "Unknown: one of two accounts of the delivered volume is wrong.",
        "none",
        (
            "Programs, boluses and refills that were not entered here.",
            "The pump's own totals at the next interrogation, over which time.",
        ),
    ),
    CauseText(
        Cause.MONITORING_LOST,
        "a channel that detection needs is dead",
        "None by itself; faults that this channel would show are not noticed.",
        "none",
        (
            "Which channel is empty or constant: it is in the evidence.",
            "A change of the relay's or the pump's software at that time.",
        ),
    ),
    CauseText(
        Cause.UNCLASSIFIED,
        "something changed, and the evidence names no cause",
        "Unknown.",
        "none",
        (
            "The plot of the channels around the change, on the alert's page.",
            "What happened at that time: a visit, a scan, a procedure, a fall?",
        ),
    ),
)

CAUSES: Final[Mapping[Cause, CauseText]] = MappingProxyType({text.cause: text for text in _TEXTS})
"""Every cause of the contract, in its order."""
