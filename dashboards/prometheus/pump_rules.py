"""Rules about pumps: what is recorded, one alert a cause, and those about several pumps or about people's answers."""

from typing import Any, Final, TypeAlias

from dashboards.causes import CAUSES, CauseText
from dashboards.prometheus import thresholds

Rule: TypeAlias = dict[str, Any]

BY_ALERT: Final = "by (pump, site, cause, priority)"
AGE: Final = "thecaflow_console_snapshot_age_seconds"
OUTDATED: Final = "on (job, instance) thecaflow:console_outdated"
ANY_CONSOLE: Final = f'up{{job="console"}} == 1 unless {OUTDATED}'
WHERE: Final = "{{ with $labels.site }}{{ . }}, {{ end }}pump {{ $labels.pump }}"
CONSOLE: Final = "/pumps/{{ $labels.pump }}"
OVERVIEW: Final = "dashboards/runbooks/pumps.md"


def _held(record: str, fresh: str) -> Rule:
    """Record `fresh`, or, while no console that is to be believed can be scraped, what was recorded before.

    Silence is no all-clear.

    Staleness marks and `up` are written with the same scrape, so there is no moment at which neither branch holds.
    """
    return {"record": record, "expr": f"{fresh}\nor ({record} unless on () ({ANY_CONSOLE}))\n"}


def _outdated() -> Rule:
    """Record the consoles that lost the database while another one had it: what they say ended there is not the present.

    One that was outdated stays so until it has read the database again, also when the other one goes away.
    """
    old = f"{AGE} > {thresholds.SNAPSHOT_OLD_S}"
    another = f"min({AGE}) <= {thresholds.SNAPSHOT_OLD_S}"
    return {
        "record": "thecaflow:console_outdated",
        "expr": f"({old} and on () {another})\nor ({old} and {OUTDATED})\n",
    }


def recordings() -> list[Rule]:
    """What the alerts are made of; the same alert from two consoles is one."""
    silent_pumps = f'max by (site) (thecaflow_site_silent_pumps{{site!=""}} unless {OUTDATED})'
    pumps = f"max by (site) (thecaflow_site_pumps unless {OUTDATED})"
    silent = f"{silent_pumps} >= {thresholds.SITE_SILENT_PUMPS}"
    share = f"{silent_pumps} / {pumps} >= {thresholds.SITE_SILENT_SHARE}"
    harm = "thecaflow_alert_harm_seconds + timestamp(thecaflow_alert_harm_seconds)"
    return [
        _outdated(),
        _held("thecaflow:alert_open", f"max {BY_ALERT} (thecaflow_alert_active unless {OUTDATED})"),
        _held("thecaflow:alert_handled", f"max {BY_ALERT} (thecaflow_alert_handled unless {OUTDATED})"),
        _held("thecaflow:alert_harm_at", f"min {BY_ALERT} ({harm} unless {OUTDATED})"),
        _returned(),
        _held("thecaflow:site_silent", f"({silent} and {share})"),
        {
            # Seconds, negative once past; +Inf where no harm is predicted. `and` and `or` match on all labels but the name.
            "record": "thecaflow:alert_harm_in_seconds",
            "expr": "((thecaflow:alert_harm_at - time()) and thecaflow:alert_open)\nor thecaflow:alert_open * Inf\n",
        },
    ]


def _returned() -> Rule:
    """Record what is open again without an answer after it had one, until it is answered anew or ends.

    Alertmanager repeats what it has told before only by its clock, in hours below high: a shelf's end must be told.
    """
    unanswered = 'thecaflow:alert_open{priority=~"medium|low"} unless on (pump, cause, priority) thecaflow:alert_handled'
    just_now = f"last_over_time(thecaflow:alert_handled[{thresholds.ANSWER_REMEMBERED}])"
    before = f"({just_now} or thecaflow:alert_returned)"
    return {
        "record": "thecaflow:alert_returned",
        "expr": f"{unanswered}\n  and on (pump, cause, priority) {before}\n",
    }


def harm_words(text: CauseText) -> str:
    """Template of the time until harm; `$value` is that of thecaflow:alert_harm_in_seconds."""
    what = "Harm" if text.harm == "none" else text.harm.capitalize()
    return (
        "{{ if gt $value 1e15 }}No time of harm is predicted."
        f"{{{{ else if gt $value 0.0 }}}}{what} is expected in {{{{ humanizeDuration $value }}}} at the earliest."
        f"{{{{ else }}}}{what} may have begun: the earliest predicted time has passed.{{{{ end }}}}"
    )


def checks_words(checks: tuple[str, ...]) -> str:
    """First checks as a numbered list, a line each."""
    return "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(checks, start=1))


def cause_alert(text: CauseText) -> Rule:
    """Make the alert of one cause; priority, pump and site pass through."""
    return {
        "alert": text.alert_name,
        "expr": f'thecaflow:alert_harm_in_seconds{{cause="{text.cause}"}}',
        "labels": {"kind": "pump"},
        "annotations": {
            "summary": f"{WHERE}: {text.title}",
            "harm": harm_words(text),
            "effect": text.effect,
            "first_checks": checks_words(text.first_checks),
            "runbook": text.runbook,
            "console": CONSOLE,
        },
    }


def _site_silent() -> Rule:
    checks = (
        "The site's relay or gateway device: power, network, its own log.",
        "Uploads of the pumps come back by themselves; what they recorded meanwhile is judged then.",
        "Patients of the site whose alerts are open now: nothing new of them is seen.",
    )
    return {
        "alert": "SiteSilent",
        "expr": "thecaflow:site_silent",
        "labels": {"kind": "pump", "priority": "high"},
        "annotations": {
            "summary": "{{ $labels.site }}: {{ $value }} pumps are not heard, half of the site or more",
            "harm": "No time of harm is predicted.",
            "effect": "Unknown: the pumps may well deliver, but nothing would be noticed here.",
            "first_checks": checks_words(checks),
            "runbook": f"{OVERVIEW}#sitesilent",
            "console": "/",
        },
    }


def _not_acknowledged() -> Rule:
    return {
        "alert": "PumpAlertNotAcknowledged",
        "expr": 'thecaflow:alert_open{priority="high"}\n  unless on (pump, cause, priority) thecaflow:alert_handled\n',
        "for": thresholds.ESCALATE_AFTER,
        "labels": {"kind": "escalation", "severity": "escalation"},
        "annotations": {
            "summary": f"{WHERE}: nobody has answered for {thresholds.ESCALATE_AFTER}:"
            ' {{ $labels.cause | reReplaceAll "_" " " }}',
            "effect": "Whoever was paged first has neither acknowledged nor shelved a high alert.",
            "first_checks": checks_words(
                (
                    "Is the first on call reachable?",
                    "The alert's own page has its cause, the time until harm and what to look at first.",
                )
            ),
            "runbook": f"{OVERVIEW}#pumpalertnotacknowledged",
            "console": CONSOLE,
        },
    }


def _came_back() -> Rule:
    return {
        "alert": "PumpAlertReturned",
        "expr": "thecaflow:alert_returned",
        "labels": {"kind": "pump"},
        "annotations": {
            "summary": f"{WHERE}: no longer put aside, and still open:"
            ' {{ $labels.cause | reReplaceAll "_" " " }}',
            "effect": "What somebody put aside for a while is nobody's again.",
            "first_checks": checks_words(
                (
                    "Who put it aside, until when and why: the alert's own page.",
                    "Its cause, the time until harm and what to look at first stand there, too.",
                )
            ),
            "runbook": f"{OVERVIEW}#pumpalertreturned",
            "console": CONSOLE,
        },
    }


def _handled() -> Rule:
    return {
        "alert": "PumpAlertHandled",
        "expr": "thecaflow:alert_handled",
        "labels": {"kind": "handled"},
        "annotations": {
            "summary": f"{WHERE}: acknowledged or shelved, not repeated while it is open",
            "runbook": f"{OVERVIEW}#pumpalerthandled",
        },
    }


def alerts() -> list[Rule]:
    """One alert a cause in the contract's order, then those about sites and answers."""
    return [*map(cause_alert, CAUSES.values()), _site_silent(), _not_acknowledged(), _came_back(), _handled()]
