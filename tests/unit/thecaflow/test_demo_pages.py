"""Grading pages: what counts as told, how the delay is counted, what should not have arrived."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.facts import Alert, AlertState, Cause, Priority
from contract.times import SECOND_US, format_us
from ingest.simulator import Label
from storage.written import WrittenLine
from thecaflow.demo.pages import P99_LIMIT_US, RECEIVERS, PageGrade, grade_pages, told_and_withdrawn
from thecaflow.evaluation.matching import Found
from thecaflow.page_file import Page

ROOT = Path(__file__).resolve().parents[3]
BEGAN_US = 1_790_000_000 * SECOND_US
STALL = Label("sick", "stall", "motor_stall", 0, also=("withdrawal_risk",))
HEALTHY = Label("well", "healthy", None, 0)
MRI = Label("well", "mri_window", None, 0, also=("motor_stall",))
RECEIVER = {"high": "pages", "medium": "notifications", "low": "tickets"}


def line(
    second: float,
    priority: str = "medium",
    state: str = "active",
    pump: str = "sick",
    alert_id: str = "a",
    believed_to_us: int | None = None,
) -> WrittenLine:
    """A line written so many seconds after the beginning; a later one is of a later time, too."""
    at_us = round(second * SECOND_US)
    return WrittenLine(
        pump, "motor_stall", alert_id, state, priority, at_us, BEGAN_US + at_us, at_us, believed_to_us
    )


def page(
    second: float,
    priority: str = "medium",
    pump: str = "sick",
    status: str = "firing",
    receiver: str | None = None,
    cause: str = "motor_stall",
) -> Page:
    """A page that arrived so many seconds after the beginning, where its priority belongs unless told."""
    return Page(
        arrived=format_us(BEGAN_US + round(second * SECOND_US)),
        receiver=receiver or RECEIVER[priority],
        group_key="",
        status="resolved" if status == "resolved" else "firing",
        starts_at="",
        ends_at="",
        fingerprint="",
        labels={"alertname": "MotorStall", "pump": pump, "cause": cause, "priority": priority},
        annotations={},
    )


def found(alert_id: str = "a", label: Label = STALL) -> Found:
    """The fault, named by an alert of this id."""
    alert = Alert(
        pump=label.pump,
        at_us=0,
        alert_id=alert_id,
        cause=Cause.MOTOR_STALL,
        state=AlertState.ACTIVE,
        priority=Priority.MEDIUM,
        since_us=0,
        text="said",
        evidence={},
    )
    return Found(label, alert, ())


def told(
    lines: list[WrittenLine], pages: list[Page], labels: tuple[Label, ...] = (STALL, HEALTHY)
) -> PageGrade:
    """Grade with the one fault named."""
    return grade_pages(labels, [found()], lines, pages)


def delays_s(grade: PageGrade) -> list[tuple[str, float | None]]:
    """Level and delay of each delivery."""
    return [
        (str(one.priority), None if one.delay_us is None else one.delay_us / SECOND_US)
        for one in grade.deliveries
    ]


def test_the_delay_runs_from_the_first_standing_line_to_the_first_page():
    """A pending line is no fact to tell yet, and a repeated page changes nothing."""
    lines = [line(1, state="pending"), line(3), line(4, state="latched")]
    grade = told(lines, [page(9), page(14)])
    assert delays_s(grade) == [("medium", 6.0)]
    assert grade.passed


def test_a_superseded_line_was_written_and_counts():
    """A rewind that writes the alert again does not make its page look quicker."""
    lines = [line(3, believed_to_us=99), line(8)]
    assert delays_s(told(lines, [page(9)])) == [("medium", 6.0)]


def test_an_alert_that_rose_is_due_twice():
    """Once at each level, each from the line that first stood there; one that rose before anybody looked, by one page."""
    rose = [line(1), line(5, "high")]
    assert delays_s(told(rose, [page(7), page(11, "high")])) == [("medium", 6.0), ("high", 6.0)]
    assert delays_s(told(rose, [page(11, "high")])) == [("medium", 10.0), ("high", 6.0)]
    only_notified = told(rose, [page(7)])
    assert delays_s(only_notified) == [("medium", 6.0), ("high", None)]
    assert not only_notified.passed


def test_an_alert_that_began_high_is_due_once():
    """As a page; a priority that it has left again is not due."""
    assert delays_s(told([line(1, "high")], [page(4, "high")])) == [("high", 3.0)]
    assert delays_s(told([line(1, "high"), line(2, "medium")], [page(6)])) == [("medium", 5.0)]


@pytest.mark.parametrize(
    "pages",
    [
        [],
        [page(4, pump="other")],
        [page(4, cause="occlusion")],
        [page(4, "low")],
        [page(4, status="resolved")],
        [page(4, receiver="escalation")],
    ],
    ids=["nothing", "another pump", "another cause", "only a ticket", "only its end", "to somebody else"],
)
def test_what_does_not_tell_of_the_fault_leaves_it_untold(pages: list[Page]):
    """Only a firing alert of its pump and cause, as loud as it is, at one of the three receivers tells."""
    grade = grade_pages((STALL, Label("other", "stall", "motor_stall", 0)), [found()], [line(3)], pages)
    assert len(grade.untold) == 1
    assert not grade.passed


def test_a_page_of_an_earlier_alert_of_the_same_cause_is_timed_from_that_one():
    """The alert was written anew under another id after its page had gone out: no negative delay."""
    lines = [line(1, alert_id="old", believed_to_us=50), line(10, alert_id="a")]
    assert delays_s(told(lines, [page(6)])) == [("medium", 5.0)]
    assert delays_s(told(lines, [page(13)])) == [("medium", 3.0)]


def test_late_pages_fail():
    """The 99th percentile of all delays has a limit; one page past it among a few is the 99th percentile."""
    just = P99_LIMIT_US / SECOND_US
    assert told([line(0)], [page(just)]).passed
    assert not told([line(0)], [page(just + 0.001)]).passed


def test_a_ticket_is_no_page():
    """A low alert is due as a ticket, and its delay is not among those of pages."""
    grade = told([line(1, "low")], [page(90, "low")])
    assert delays_s(grade) == [("low", 89.0)]
    assert grade.percentile_us(0.99) is None
    assert told([line(1, "low")], []).untold == ()


def test_the_receivers_are_alertmanagers():
    """Each has the route of its priority in the committed configuration, so that none can be renamed unnoticed."""
    text = (ROOT / "dashboards" / "alertmanager" / "alertmanager.yml").read_text()
    for receiver, priority in RECEIVERS.items():
        assert f'receiver: {receiver}\n          matchers: [priority="{priority}"]' in text


@pytest.mark.parametrize(
    ("wrong", "false"),
    [
        ([page(5, pump="well")], 1),
        ([page(5, "high", pump="well"), page(6, pump="well")], 1),
        ([page(5, "high", pump="of another fleet")], 1),
        ([page(5, "low", pump="well")], 0),
        ([page(5, pump="sick", cause="leak")], 0),
    ],
    ids=["notified", "said twice", "unknown pump", "ticket", "another cause of a faulty pump"],
)
def test_pages_of_healthy_pumps_are_false(wrong: list[Page], false: int):
    """A page or notification of a healthy pump fails the run, once a cause; a ticket does not."""
    grade = told([line(1)], [page(4), *wrong])
    assert len(grade.false_pages) == false
    assert grade.passed is (false == 0)


def test_a_false_page_stays_false_when_it_resolves():
    """Somebody was called, whatever was corrected afterwards."""
    grade = told([line(1)], [page(4), page(5, pump="well"), page(8, pump="well", status="resolved")])
    assert len(grade.false_pages) == 1


def test_what_a_nuisance_allows_is_no_false_page():
    """A label without a cause may say what may be raised all the same."""
    assert told([line(1)], [page(4), page(5, pump="well")], (STALL, HEALTHY, MRI)).passed


def test_a_page_at_the_wrong_receiver_fails():
    """High pages, medium notifies, low makes a ticket, and nothing else."""
    grade = told([line(1)], [page(4), page(5, "low", cause="leak", receiver="pages")])
    assert [one.labels["cause"] for one in grade.astray] == ["leak"]
    assert not grade.passed


def test_a_page_that_resolves_while_its_alert_is_open_fails():
    """Only an alert that is over may be said to be over; one that left this priority is said again at the other."""
    ended = told([line(1)], [page(4), page(9, status="resolved")])
    assert len(ended.ended) == 1
    assert not ended.passed
    assert told([line(1)], [page(4), page(9, status="resolved"), page(11)]).passed
    rose = [line(1), line(5, "high")]
    assert told(rose, [page(4), page(9, status="resolved"), page(9, "high")]).passed
    assert told([line(1), line(8, state="cleared")], [page(4), page(9, status="resolved")]).passed


def test_alerts_of_no_pump_are_counted_apart():
    """What the pipeline says of itself is shown and is no false page."""
    other = replace_labels(page(2), {"alertname": "Watchdog"})
    grade = told([line(1)], [page(4), other])
    assert grade.others == {"Watchdog": 1}
    assert grade.arrived == {Priority.MEDIUM: 1}
    assert grade.passed


def replace_labels(page: Page, labels: dict[str, str]) -> Page:
    """The same page with other labels."""
    return Page(**{name: getattr(page, name) for name in page.__struct_fields__} | {"labels": labels})


def test_what_was_believed_and_withdrawn_is_told_by_its_longest_belief():
    """Of healthy pumps only, and not what merely was written anew."""
    gone = [
        line(1, pump="well", believed_to_us=4 * SECOND_US),
        line(2, pump="well", believed_to_us=10 * SECOND_US),
    ]
    assert told_and_withdrawn([STALL, HEALTHY], gone) == {("well", "motor_stall"): 8 * SECOND_US}
    assert told_and_withdrawn([STALL, HEALTHY], [*gone, line(11, pump="well")]) == {}
    assert told_and_withdrawn([STALL, HEALTHY, MRI], gone) == {}
    assert told_and_withdrawn([STALL, HEALTHY], [line(1, believed_to_us=4 * SECOND_US)]) == {}
