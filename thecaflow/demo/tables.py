"""The tables at the end of the demonstration."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from contract.facts import Dose
from contract.times import DAY_US, format_us
from ingest.simulator import Label
from thecaflow.demo.grade import FalseAlarm, Grade
from thecaflow.demo.pages import Delivery, PageGrade
from thecaflow.evaluation.matching import LOUD, Found
from thecaflow.page_file import Page
from thecaflow.status_screen import STYLES, span

DAYS_BEFORE = 2
DAYS_AFTER = 4


def faults(grade: Grade, told: PageGrade | None = None) -> Table:
    """One line a labelled fault; with pages two for an alert that rose after it was told of."""
    named = len(grade.found) - len(grade.missed)
    table = Table(title=f"labelled faults: {named} of {len(grade.found)} named", title_justify="left")
    for name in ("pump", "fault", "onset", "after", "cause named", "level"):
        table.add_column(name, no_wrap=True)
    if told is not None:
        for name in ("commit", "webhook", "delay"):
            table.add_column(name, no_wrap=True, justify="right")
    for found in grade.found:
        own = [] if told is None else [one for one in told.deliveries if one.label is found.label]
        begun = _fault(found)
        for row, delivery in enumerate(own or [None]):
            table.add_row(*(begun if row == 0 else ("",) * len(begun)), *_priority(found, delivery))
    return table


def _fault(found: Found) -> tuple[str, ...]:
    label, delay_us = found.label, found.delay_us
    named = f"[bold red]MISSED {label.cause}[/]" if found.alert is None else str(found.alert.cause)
    after = "[bold red]never[/]" if delay_us is None else span(delay_us)
    return label.pump, label.kind, minute(label.onset_us)[5:], after, named


def _priority(found: Found, delivery: Delivery | None) -> tuple[str, ...]:
    """Priority, and what became of it."""
    if delivery is None:
        return () if found.alert is None else (f"[{STYLES[found.alert.priority]}]{found.alert.priority}[/]",)
    priority = f"[{STYLES[delivery.priority]}]{delivery.priority}[/]"
    committed = clock(delivery.committed_us)
    if delivery.arrived_us is None:
        return priority, committed, "[bold red]never[/]" if delivery.priority in LOUD else "not yet", ""
    return priority, committed, clock(delivery.arrived_us), seconds(delivery.delay_us)


def healthy(grade: Grade) -> str:
    """One line, and one more for each false alarm."""
    pumps = {wrong.alert.pump for wrong in grade.false_alarms}
    lines = [f"healthy pumps: {grade.healthy}, of them {len(pumps)} with a medium or high alert"]
    lines += [f"  [bold red]FALSE[/] {_alarm(wrong)}" for wrong in grade.false_alarms]
    lines += [f"  before its fault: {_alarm(wrong)}" for wrong in grade.early]
    lines += [
        f"  besides {one.label.kind}: {one.label.pump} {', '.join(one.beside)}"
        for one in grade.found
        if one.beside
    ]
    return "\n".join(lines)


def _alarm(wrong: FalseAlarm) -> str:
    alert = wrong.alert
    return f"{alert.pump} {minute(alert.at_us)} {alert.priority} {alert.cause}: {alert.text}"


def ledger(doses: Sequence[Dose], label: Label) -> Table:
    """The dose windows of one pump from two days before its fault to four days after."""
    title = f"dose ledger of {label.pump}: {label.kind} at {minute(label.onset_us)}"
    table = Table(title=title, title_justify="left")
    for name in ("day", "programmed ug", "sensed ug", "at the tip ug", "bolus uL", "priming uL", "coverage"):
        table.add_column(name, justify="left" if name == "day" else "right", no_wrap=True)
    first_us = label.onset_us - DAYS_BEFORE * DAY_US
    last_us = label.onset_us + (DAYS_AFTER + 1) * DAY_US
    for dose in doses:
        if first_us < dose.to_us <= last_us:
            struck = dose.from_us < label.onset_us <= dose.to_us
            table.add_row(
                format_us(dose.from_us)[:10] + (" fault" if struck else ""),
                *(_number(ug) for ug in (dose.programmed_ug, dose.sensed_ug, dose.tip_ug)),
                _number(dose.bolus_ul),
                _number(dose.priming_ul),
                f"{dose.coverage:.2f}",
            )
    return table


def _number(amount: float | None) -> str:
    return "-" if amount is None else f"{round(amount, 1) + 0.0:.1f}"  # + 0.0: no minus before a zero


def minute(at_us: int) -> str:
    """Return a time to the minute."""
    return format_us(at_us)[:16].replace("T", " ")


def clock(at_us: int) -> str:
    """Return a time of today to the second."""
    return format_us(at_us)[11:19]


def seconds(length_us: int | None) -> str:
    """Return a short length of time in five characters."""
    if length_us is None:
        return "never"
    length_s = length_us / 1e6
    return f"{length_s:.1f} s" if abs(length_s) < 9.95 else f"{length_s:.0f} s"


def arrival(page: Page) -> str:
    """One line about a page: when, to whom, of what."""
    what = " ".join(page.labels.get(name, "") for name in ("pump", "priority", "cause"))
    return f"{clock(page.arrived_us)} {page.receiver}: {what}"
