"""Renders the runbooks: a heading for each alert, under the anchor that its annotation names."""

from collections.abc import Iterable

from contract.facts import DEFAULT_PRIORITY, Priority
from dashboards.causes import CAUSES, CauseText
from dashboards.prometheus import pipeline, pump_rules, thresholds
from dashboards.prometheus.pipeline_alert import PipelineAlert
from dashboards.runbooks.notes import NOTES

WRITTEN_BY = (
    "Written by `python -m dashboards.prometheus.generate`: change the texts in `dashboards/`, not here."
)
GOES_TO = {
    Priority.HIGH: "high: somebody is called, again every 5 minutes until it is acknowledged or shelved",
    Priority.MEDIUM: "medium: somebody is told, again every 4 hours",
    Priority.LOW: "low: a ticket",
    Priority.INFO: "info: nobody is told; it stands in the console",
}
LIFE = f"""## Life of an alert
- Acknowledged or shelved on its page in the console, or by `thecaflow ack` and `thecaflow shelve`. Both need a token of role operator
  and are kept with who, when and why. Neither ends the condition.
- A high alert that nobody answers is repeated every 5 minutes, and after {thresholds.ESCALATE_AFTER} somebody else is called.
- A shelve ends by itself, after 24 hours at most, and at once when the priority rises. A rise of priority makes an acknowledged alert
  active again.
- A page never resolves because a console, a worker or the database is down: the last known state is held until a console says otherwise.
- `high` is the priority of the alert, not of the pump. The time until harm is an interval; what is paged is its earliest end.
"""


def pumps_runbook() -> str:
    """Render the runbook of alerts about pumps."""
    head = (
        "# Runbook: pumps",
        WRITTEN_BY,
        "For staff who know the patient. This is information, not medical advice: it never says what to give or to set.",
        "Facts and sources: [docs/domain.md](../../docs/domain.md).",
        "",
        LIFE,
    )
    parts = ["\n".join(head), *map(_cause, CAUSES.values()), *_several()]
    return "\n".join(parts)


def _cause(text: CauseText) -> str:
    note, priority = NOTES[text.cause], DEFAULT_PRIORITY[text.cause]
    lines = (
        f"## {text.alert_name}",
        f"**{_capital(text.title)}** (`{text.cause}`; {GOES_TO[priority]}).",
        "",
        f"- For the patient: {text.effect}",
        f"- Seen by: {note.seen_by}",
        f"- Looks like it: {note.look_alike}",
        f"- Ends: {note.ends}",
        "",
        _checks(text.first_checks),
    )
    return "\n".join(lines)


def _several() -> Iterable[str]:
    extra = {
        "SiteSilent": (
            f"{GOES_TO[Priority.HIGH].replace('until it is acknowledged or shelved', 'until it ends or is silenced')}. "
            f"{thresholds.SITE_SILENT_PUMPS} pumps or more, and half of the site's, are silent: one page instead of one for each. "
            "Its pumps' own alerts stay open in the console. While the site is being repaired: "
            "`dev/stack amtool silence add alertname=SiteSilent site=NAME --duration 2h --comment REASON`."
        ),
        "PumpAlertNotAcknowledged": (
            f"goes to the second on call, every 10 minutes. It ends when somebody acknowledges or shelves the alert, "
            f"or when the alert ends. Waits {thresholds.ESCALATE_AFTER}."
        ),
        "PumpAlertReturned": (
            "goes where its alert goes, medium or low, and stands beside it. A shelf has ended and the alert is still open; a high one is "
            "repeated anyway. It ends when somebody answers the alert anew, or when the alert ends."
        ),
        "PumpAlertHandled": (
            "goes to nobody. It stands beside an alert that has been acknowledged or shelved, and keeps Alertmanager from repeating it."
        ),
    }
    rules = {rule["alert"]: rule["annotations"] for rule in pump_rules.alerts()}
    for name, about in extra.items():
        notes = rules[name]
        lines = [f"## {name}", f"It {about}" if about.startswith("goes") else _capital(about), ""]
        if "first_checks" in notes:
            lines += [f"- Effect: {notes['effect']}", "", "First checks:", "", notes["first_checks"], ""]
        yield "\n".join(lines)


def pipeline_runbook() -> str:
    """Render the runbook of alerts about the pipeline."""
    head = (
        "# Runbook: the pipeline",
        WRITTEN_BY,
        "For those who run the system. An alert here means that pages about pumps would be late or missing; what is sent is kept.",
        "Numbers and their reasons: `dashboards/prometheus/thresholds.py`.",
        "",
    )
    return "\n".join(["\n".join(head), *map(_pipeline_alert, pipeline.ALERTS)])


def _pipeline_alert(alert: PipelineAlert) -> str:
    goes_to = {
        "page": "operations is called",
        "ticket": "a ticket",
        "none": "goes to the dead man's switch",
    }[alert.severity]
    lines = (
        f"## {alert.name}",
        f"**{alert.title}** ({goes_to}{f', after {alert.wait}' if alert.wait else ''}).",
        "",
        f"- Effect: {alert.effect}",
        f"- Looks like it, and does not fire: {alert.look_alike}",
        "",
        _checks(alert.first_checks),
    )
    return "\n".join(lines)


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _checks(checks: tuple[str, ...]) -> str:
    return f"First checks:\n\n{pump_rules.checks_words(checks)}\n"
