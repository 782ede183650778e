"""What names a fault, what follows from it, what is wrong, and how long a pump was healthy."""

from __future__ import annotations

import msgspec
import pytest

from contract.facts import Alert, AlertState, Cause, Priority
from contract.times import HOUR_US
from ingest.simulator import Label
from tests.unit.evaluation.scored import at, fault, healthy, line
from thecaflow.evaluation.matching import Verdict, alarms_of, match

SPAN = (at(0), at(1000))
STALL = fault(Cause.MOTOR_STALL, 100, also=("withdrawal_risk",))


def verdicts(
    labels: list[Label], lines: list[Alert], labelled: set[str] | None = None
) -> list[tuple[str, Verdict]]:
    """Cause and verdict of every alarm that is judged."""
    return [(one.alarm.cause, one.verdict) for one in match(labels, lines, SPAN, labelled).judged]


def test_the_right_cause_after_the_onset_names_the_fault():
    """The delay runs from the onset to the first line in which the condition holds."""
    lines = [line(Cause.MOTOR_STALL, 101, AlertState.PENDING), line(Cause.MOTOR_STALL, 102)]
    [found] = match([STALL], lines, SPAN).found
    assert found.delay_us == 2 * HOUR_US
    assert found.said == "motor_stall"
    assert verdicts([STALL], lines) == [("motor_stall", Verdict.NAMED)]


def test_a_latched_line_names_nothing():
    """An alert that ends after the onset, but was about something else, is no detection."""
    lines = [line(Cause.MOTOR_STALL, 50), line(Cause.MOTOR_STALL, 101, AlertState.LATCHED)]
    [found] = match([STALL], lines, SPAN).found
    assert found.alert is None
    assert verdicts([STALL], lines) == [("motor_stall", Verdict.FALSE)]


def test_a_consequence_is_neither_right_nor_wrong_but_somebody_is_told():
    """A stall's withdrawal risk is no mistake, names nothing, and counts as told before harm."""
    lines = [line(Cause.WITHDRAWAL_RISK, 105)]
    matched = match([STALL], lines, SPAN)
    assert [one.verdict for one in matched.judged] == [Verdict.CONSEQUENCE]
    assert matched.found[0].alert is None
    assert matched.found[0].heard_us == at(105)
    assert matched.found[0].said is None


def test_a_consequence_may_outlast_its_fault_but_not_precede_it():
    """What a day of over-delivery took from the reservoir is missing for weeks; before the onset it is a false alarm."""
    over = fault(Cause.RESTART_OVERDOSE, 100, 120, also=("reservoir_low",))
    assert verdicts([over], [line(Cause.RESERVOIR_LOW, 900)]) == [("reservoir_low", Verdict.CONSEQUENCE)]
    assert verdicts([over], [line(Cause.RESERVOIR_LOW, 90)]) == [("reservoir_low", Verdict.FALSE)]


def test_another_cause_beside_the_right_one_is_wrong():
    """It is told of the fault that it was taken for, and shows in what was said first."""
    lines = [line(Cause.LEAK, 101), line(Cause.MOTOR_STALL, 102)]
    matched = match([STALL], lines, SPAN)
    assert [one.verdict for one in matched.judged] == [Verdict.WRONG, Verdict.NAMED]
    assert matched.found[0].beside == ("leak",)
    assert matched.found[0].said == "leak"


def test_an_honest_unclear_is_what_was_said_only_if_nothing_else_was():
    """`unclassified` is a low alert: no mistake, no detection, but not silence either."""
    unclear = line(Cause.UNCLASSIFIED, 101)
    assert match([STALL], [unclear], SPAN).found[0].said == "unclassified"
    assert match([STALL], [unclear, line(Cause.MOTOR_STALL, 103)], SPAN).found[0].said == "motor_stall"
    assert verdicts([STALL], [unclear]) == []


@pytest.mark.parametrize(
    ("hours", "verdict"),
    [(99, Verdict.FALSE), (100, Verdict.NAMED), (220, Verdict.NAMED), (225, Verdict.FALSE)],
)
def test_a_fault_that_ended_is_over_a_day_later(hours: float, verdict: Verdict):
    """An alert of the right cause counts from the onset to a day after the end, and is false on either side."""
    ended = fault(Cause.MOTOR_STALL, 100, 200)
    assert verdicts([ended], [line(Cause.MOTOR_STALL, hours)]) == [("motor_stall", verdict)]


def test_the_same_again_is_a_repeat():
    """A second alert of a fault that was named is neither a second find nor a mistake."""
    lines = [line(Cause.MOTOR_STALL, 101, alert_id="a"), line(Cause.MOTOR_STALL, 150, alert_id="b")]
    assert [verdict for _, verdict in verdicts([STALL], lines)] == [Verdict.NAMED, Verdict.REPEAT]


def test_low_alerts_are_judged_only_where_their_cause_is_labelled():
    """A ticket that a refill is due is no mistake; one of drive wear is, where drive wear is looked for."""
    lines = [line(Cause.REFILL_DUE, 10), line(Cause.DRIVE_WEAR, 20)]
    assert verdicts([healthy()], lines) == []
    assert verdicts([healthy()], lines, {"drive_wear"}) == [("drive_wear", Verdict.FALSE)]


def test_what_is_only_written_down_is_not_judged():
    """A stall in an announced MRI window is info: nobody is disturbed, though stalls are looked for."""
    lines = [line(Cause.MOTOR_STALL, 10, priority=Priority.INFO)]
    assert verdicts([healthy()], lines, {"motor_stall"}) == []


def test_a_nuisance_allows_what_it_says_while_it_lasts():
    """A dead sensor may be called that; two days later the same words are a false alarm."""
    nuisance = Label("p", "sensor_stuck", None, at(10), at(20), also=("monitoring_lost",))
    assert verdicts([healthy(), nuisance], [line(Cause.MONITORING_LOST, 30)])[0][1] is Verdict.EXPECTED
    assert verdicts([healthy(), nuisance], [line(Cause.MONITORING_LOST, 50)])[0][1] is Verdict.FALSE


@pytest.mark.parametrize(("gone", "alarms"), [(1.0, 1), (23.0, 1), (24.0, 2), (300.0, 2)])
def test_an_alert_that_comes_back_after_a_day_is_another_alarm(gone: float, alarms: int):
    """Nobody answers in a recording, so an alert stays latched under its id: without this it could cry wolf for free."""
    lines = [
        line(Cause.LEAK, 10),
        line(Cause.LEAK, 11, AlertState.LATCHED),
        line(Cause.LEAK, 11 + gone),
    ]
    assert len(alarms_of(lines)) == alarms


def test_an_alarm_is_loud_from_the_line_on_that_is():
    """A low alert that rises is judged at the time at which somebody was disturbed."""
    lines = [line(Cause.LEAK, 10, priority=Priority.LOW), line(Cause.LEAK, 30, priority=Priority.HIGH)]
    [alarm] = alarms_of(lines)
    assert alarm.at_us == at(30)
    assert alarm.first is lines[0]


def test_healthy_time_is_what_no_fault_covers():
    """Before the onset, and from a day after the end on; overlapping faults are counted once."""
    faults = [fault(Cause.MOTOR_STALL, 100, 200), fault(Cause.LEAK, 150, 160), fault(Cause.OCCLUSION, 500)]
    assert match(faults, [], SPAN).healthy_us == (100 + 500 - 224) * HOUR_US
    assert match([healthy()], [], SPAN).healthy_us == 1000 * HOUR_US
    assert match([fault(Cause.LEAK, -5)], [], SPAN).healthy_us == 0


def test_a_fault_after_the_recording_takes_nothing_from_its_healthy_time():
    """The span of the recording bounds everything."""
    assert match([fault(Cause.LEAK, 2000)], [], SPAN).healthy_us == 1000 * HOUR_US


def test_clocks_may_be_off_by_minutes_so_an_alert_just_before_the_onset_is_its_own():
    """Corrected times are minutes off after a gap; a delay is never negative."""
    early = msgspec.structs.replace(line(Cause.MOTOR_STALL, 100), at_us=STALL.onset_us - 200_000_000)
    [found] = match([STALL], [early], SPAN).found
    assert found.delay_us == 0
    much = msgspec.structs.replace(early, at_us=STALL.onset_us - 400_000_000)
    assert verdicts([STALL], [much]) == [("motor_stall", Verdict.FALSE)]
