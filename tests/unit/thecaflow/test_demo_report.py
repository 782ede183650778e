"""What the demonstration prints of pages, and how it waits for Alertmanager to forget an earlier run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from contract.facts import Alert, AlertState, Cause, Priority
from ingest.simulator import Label
from storage.written import WrittenLine
from thecaflow.demo import paging, report, tables
from thecaflow.demo.grade import Grade
from thecaflow.demo.pages import Delivery, PageGrade
from thecaflow.demo.processes import DemoError, pages_file
from thecaflow.evaluation.matching import Found
from thecaflow.page_file import Page
from thecaflow.settings import Settings

NOON_US = 1_790_000_000_000_000 // 86_400_000_000 * 86_400_000_000 + 43_200_000_000
STALL = Label("sick", "stall", "motor_stall", NOON_US)
HEALTHY = Label("well", "healthy", None, 0)
ALERT = Alert(
    pump="sick",
    at_us=NOON_US + 60_000_000,
    alert_id="a",
    cause=Cause.MOTOR_STALL,
    state=AlertState.ACTIVE,
    priority=Priority.HIGH,
    since_us=NOON_US,
    text="said",
    evidence={},
)
FALSE = Page(
    arrived="2026-09-21T12:00:09.000000Z",
    receiver="pages",
    group_key="",
    status="firing",
    starts_at="",
    ends_at="",
    fingerprint="",
    labels={"pump": "well", "cause": "leak", "priority": "high"},
    annotations={},
)


def delivery(priority: Priority, committed_s: float, delay_s: float | None) -> Delivery:
    """A delivery that was committed so many seconds after noon."""
    committed_us = NOON_US + round(committed_s * 1e6)
    arrived_us = None if delay_s is None else committed_us + round(delay_s * 1e6)
    return Delivery(STALL, priority, committed_us, arrived_us)


def told(*deliveries: Delivery, false: tuple[Page, ...] = ()) -> PageGrade:
    """A grade of these alone."""
    return PageGrade(deliveries, false, (), (), {}, {Priority.HIGH: len(deliveries)})


def test_the_table_says_when_each_level_reached_the_webhook():
    """A row for the notification, one for the page that followed, one that says that nobody was told."""
    grade = Grade((Found(STALL, ALERT, ()),), 1, (), ())
    console = Console(file=StringIO(), width=120)
    rose = delivery(Priority.MEDIUM, 1, 6.25), delivery(Priority.HIGH, 5, 12.0)
    console.print(tables.faults(grade, told(*rose)))
    console.print(tables.faults(grade, told(delivery(Priority.HIGH, 5, None))))
    printed = console.file.getvalue()
    rows = [" ".join(line.replace("│", " ").split()) for line in printed.splitlines() if "12:00" in line]
    assert rows == [
        "sick stall 09-21 12:00 60 s motor_stall medium 12:00:01 12:00:07 6.2 s",
        "high 12:00:05 12:00:17 12 s",
        "sick stall 09-21 12:00 60 s motor_stall high 12:00:05 never",
    ]


def test_false_and_late_pages_are_shown():
    """With their pump and cause, and the percentile that failed."""
    text = report.paging([STALL, HEALTHY], told(delivery(Priority.HIGH, 0, 25.0), false=(FALSE,)), [])
    assert "1 of 1 due" in text
    assert "p99 25 s (limit 20 s) [bold red]TOO LATE[/]" in text
    assert "FALSE[/] 12:00:09 pages: well high leak" in text


def test_what_real_time_would_have_paged_is_told():
    """An alert of a healthy pump that was believed for an hour and withdrawn, though no webhook ever saw it."""
    line = WrittenLine("well", "leak", "b", "active", "high", 0, 0, 0, 3_600_000_000)
    assert "withdrawn: well leak 60 min" in report.paging([HEALTHY], told(), [line])
    assert "withdrawn" not in report.paging([HEALTHY], told(), [])


@contextmanager
def answering(answers: list[object]) -> Iterator[str]:
    """A server that answers each request with the next of these, and the last for ever; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.pop(0) if len(answers) > 1 else answers[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_pages_of_an_earlier_run_are_waited_for_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Until no alert of a pump is left; alerts of no pump do not matter."""
    monkeypatch.setattr(paging, "POLL_S", 0.01)
    watchdog, old = {"labels": {"alertname": "Watchdog"}}, {"labels": {"pump": "pump-0001"}}
    answers: list[object] = [[watchdog, old], [watchdog, old], [watchdog]]
    with answering(answers) as url:
        settings = Settings(alertmanager_url=url, run_folder=str(tmp_path))
        pages_file(settings).write_text("of an earlier run")
        paging.until_quiet(settings)
    assert answers == [[watchdog]]
    assert not pages_file(settings).exists()


def test_pages_that_do_not_end_fail_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another console that serves the same alerts would otherwise be waited for in vain."""
    monkeypatch.setattr(paging, "POLL_S", 0.01)
    monkeypatch.setattr(paging, "QUIET_WITHIN_S", 0.05)
    with (
        answering([[{"labels": {"pump": "pump-0001"}}]]) as url,
        pytest.raises(DemoError, match="another console"),
    ):
        paging.until_quiet(Settings(alertmanager_url=url, run_folder=str(tmp_path)))


def test_an_alertmanager_that_is_not_there_is_named():
    """With the command that starts it and the setting that says where it is."""
    with pytest.raises(DemoError, match=r"dev/stack start am.*THECAFLOW_ALERTMANAGER_URL"):
        paging.until_quiet(Settings(alertmanager_url="http://127.0.0.1:9"))


def test_the_login_link_is_the_consoles():
    """Its address as the console says it; an answer without one fails in words."""
    with answering([{"url": "http://here/login/x", "expires": "soon"}]) as url:
        assert paging.login_link(Settings(console_url=url), "secret") == "http://here/login/x"
    with answering([{}]) as url, pytest.raises(DemoError, match="no login link"):
        paging.login_link(Settings(console_url=url), "secret")
