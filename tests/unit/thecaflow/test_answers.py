"""`thecaflow alerts|ack|shelve` against a console and a gateway of the test's own: what is asked, sent and said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contract.codec import decode_json
from contract.events import AlertAck, AlertShelved
from ingest.answering import LONGEST_SHELF_US
from thecaflow import answers
from thecaflow.cli import run

NOW = "2026-11-24T08:00:00.000000Z"
ESCAPE = "\x1b[2J"


def alert(alert_id: str, **changes: Any) -> dict[str, Any]:
    """An alert as the console gives it."""
    return {
        "alert_id": alert_id,
        "pump": f"pump-{alert_id}",
        "site": "ward-b",
        "cause": "occlusion",
        "state": "active",
        "priority": "high",
        "at": NOW,
        "since": NOW,
        "harm_at": {"lo": "2026-11-24T16:00:00.000000Z", "hi": None},
        "text": "The outlet pressure climbs.",
        **changes,
    }


class Servers:
    """Answers as a console and a gateway do; a test changes what it wants."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = [alert("a1"), alert("b2", priority="low", harm_at=None)]
        self.asked: list[str] = []
        self.events: list[AlertAck | AlertShelved] = []
        self.tokens: set[str | None] = set()
        self.refusals: list[tuple[int, dict[str, str], bytes]] = []
        """Given first, one a post."""
        self.takes_effect = True

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Answer as the console."""
        self.asked.append(path)
        if path.startswith("/v1/alerts?"):
            return 200, {}, json.dumps({"version": 1, "at": NOW, "alerts": self.alerts}).encode()
        found = [one for one in self.alerts if path == f"/v1/alerts/{one['alert_id']}"]
        if found:
            return 200, {}, json.dumps({"alert": found[0], "lines": []}).encode()
        return 404, {}, json.dumps({"detail": "There is no such alert, or not for you."}).encode()

    def post(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer as the gateway."""
        if self.refusals:
            return self.refusals.pop(0)
        event = decode_json(body)
        assert isinstance(event, AlertAck | AlertShelved), event
        self.events.append(event)
        if self.takes_effect:
            state = "shelved" if isinstance(event, AlertShelved) else "acknowledged"
            self.alerts = [
                {**one, "state": state} if one["pump"] == event.pump else one for one in self.alerts
            ]
        result = {"id": event.id, "status": "accepted", "partition": 0, "offset": 0}
        counts = {"accepted": 1, "quarantined": 0, "refused": 0}
        return 202, {}, json.dumps({"received": NOW, **counts, "results": [result]}).encode()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    """Both servers on one port, and the settings and token that mean them."""
    double = Servers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*double.get(self.path))

        def do_POST(self) -> None:
            self._send(*double.post(self.rfile.read(int(self.headers["Content-Length"]))))

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            double.tokens.add(self.headers["Authorization"])
            self.send_response(status)
            for name, text in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("THECAFLOW_CONSOLE_URL", url)
    monkeypatch.setenv("THECAFLOW_GATEWAY_URL", url + "/")
    monkeypatch.setenv("THECAFLOW_TOKEN", "a-token\n")
    monkeypatch.setattr(answers, "PATIENCE_S", 3.0)
    monkeypatch.setattr(answers, "POLL_S", 0.01)
    yield double
    server.shutdown()
    server.server_close()


def test_an_alert_is_acknowledged_by_its_id(servers: Servers, capsys: pytest.CaptureFixture[str]):
    """The pump comes from the console, the actor from the gateway, the reason from the person."""
    assert run(["ack", "a1", "--reason", "on my way"]) == 0
    [event] = servers.events
    assert (event.pump, event.alert_id, event.cause) == ("pump-a1", "a1", "occlusion")
    assert (event.source, event.actor, event.reason) == ("clinic", None, "on my way")
    assert event.id[14] == "7", "UUIDv7"
    assert servers.tokens == {"Bearer a-token"}
    assert "pump-a1 occlusion: acknowledgement sent" in capsys.readouterr().out


def test_several_are_answered_and_each_failure_is_told(servers: Servers, capsys: pytest.CaptureFixture[str]):
    """One unknown and one that has ended cost no other; twice the same id is once."""
    servers.alerts.append(alert("c3", state="cleared"))
    assert run(["ack", "nosuch", "c3", "b2", "a1", "a1", "--reason", "seen"]) == 1
    assert [event.alert_id for event in servers.events] == ["b2", "a1"]
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "nosuch" in errors[0]
    assert "ended" in errors[1]


def test_a_page_is_answered_while_the_console_is_away(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A page names pump and cause; with both nobody else is asked."""
    monkeypatch.setenv("THECAFLOW_CONSOLE_URL", "http://127.0.0.1:1")
    assert run(["ack", "--pump", "pump-9", "--cause", "leak", "--reason", "seen"]) == 0
    assert run(["ack", "a1", "--pump", "pump-a1", "--reason", "seen"]) == 0
    assert [(event.pump, event.alert_id, event.cause) for event in servers.events] == [
        ("pump-9", None, "leak"),
        ("pump-a1", "a1", None),
    ]
    assert run(["ack", "a1", "--reason", "seen"]) == 1
    assert "no console answers" in capsys.readouterr().err


def test_a_shelf_has_its_end(servers: Servers):
    """`--for` counts from now on, up to a day; what is only latched has nothing to put aside."""
    assert run(["shelve", "a1", "--for", "2h", "--reason", "MRI"]) == 0
    [event] = servers.events
    assert isinstance(event, AlertShelved)
    assert abs(event.until_us - event.at_us - LONGEST_SHELF_US // 12) < 5_000_000
    assert run(["shelve", "a1", "--for", "24h", "--reason", "MRI"]) == 0
    for length in ("24.01h", "0s", "2 fortnights"):
        assert run(["shelve", "a1", "--for", length, "--reason", "MRI"]) == 2
    servers.alerts = [alert("a1", state="latched")]
    assert run(["shelve", "a1", "--for", "2h", "--reason", "MRI"]) == 1
    assert len(servers.events) == 2


def test_waiting_ends_with_the_effect_or_with_one(servers: Servers, capsys: pytest.CaptureFixture[str]):
    """--wait says what the console shows; after the time allowed it is exit 1 and the state as it is."""
    assert run(["ack", "a1", "--reason", "x", "--wait"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "pump-a1 occlusion: acknowledged"
    servers.takes_effect = False
    assert run(["shelve", "b2", "--for", "1h", "--reason", "x", "--wait", "--timeout", "0.1"]) == 1
    assert "now: active" in capsys.readouterr().err


def test_a_broker_that_is_away_for_a_moment_costs_nothing(servers: Servers):
    """A 503 is waited off, and the same event is sent again, so that it counts once."""
    servers.refusals = [(503, {"Retry-After": "1"}, b'{"detail":"later"}')]
    assert run(["ack", "a1", "--reason", "x"]) == 0
    assert len(servers.events) == 1


@pytest.mark.parametrize(
    ("status", "problem", "message"),
    [
        (401, {"detail": "This token is not known."}, "not known"),
        (403, {"detail": "None", "results": [{"id": "1", "status": "refused", "reason": "A viewer's token reads."}]}, "viewer's"),
        (429, {"detail": "This token may send 1 events a second."}, "a second"),
        (503, {"detail": "The log does not acknowledge."}, "acknowledge"),
        (404, {}, "answers 404"),
        (202, {"results": "none"}, "no gateway of this version"),
    ],
)  # fmt: skip
def test_a_gateway_that_refuses_is_quoted(
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    problem: dict[str, Any],
    message: str,
):
    """Its own reason in one line and exit 1, whatever it was."""
    monkeypatch.setattr(answers, "PATIENCE_S", 0.0)
    servers.refusals = [(status, {}, json.dumps(problem).encode())]
    assert run(["ack", "a1", "--reason", "x"]) == 1
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["ack", "--reason", "x"],
        ["ack", "a1"],
        ["ack", "a1", "--reason", " "],
        ["ack", "a1", "--reason", "x" * 1001],
        ["ack", "a1", "--cause", "leak", "--reason", "x"],
        ["ack", "--cause", "leak", "--reason", "x"],
        ["ack", "--pump", "p", "--cause", "bad luck", "--reason", "x"],
        ["ack", "--pump", "p q", "--cause", "leak", "--reason", "x"],
        ["ack", "../x", "--reason", "x"],
        ["ack", "a1", "--reason", "x", "--token", "t\u00f6ken"],
        ["shelve", "a1", "--reason", "x"],
        ["alerts", "--state", "open"],
        ["alerts", "--token", ""],
    ],
)
def test_wrong_usage_is_two(servers: Servers, capsys: pytest.CaptureFixture[str], arguments: list[str]):
    """Before anything is sent, with a message and no trace."""
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err
    assert "Traceback" not in shown.err
    assert servers.events == []


def test_the_nearest_harm_comes_first_and_pending_ones_only_when_asked_for(
    servers: Servers, capsys: pytest.CaptureFixture[str]
):
    """Then priority, then age; --json gives the console's own objects, fields we do not know included."""
    servers.alerts = [
        alert("none", harm_at=None, priority="high"),
        alert("later", harm_at={"lo": "2026-11-25T16:00:00Z", "hi": None}, extra=1),
        alert("pending", state="pending"),
        alert("sooner", priority="medium"),
        alert("info", harm_at={"lo": None, "hi": None}, priority="info"),
    ]
    assert run(["alerts", "--json", "--pump", "p", "--priority", "high"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["alert_id"] for one in listed] == ["sooner", "later", "none", "info"]
    assert listed[1]["extra"] == 1
    assert servers.asked == ["/v1/alerts?pump=p&priority=high&limit=1000"]
    assert run(["alerts", "--json", "--all"]) == 0
    assert "pending" in capsys.readouterr().out
    assert run(["alerts", "--json", "--state", "pending"]) == 0
    assert "pending" in capsys.readouterr().out


def test_the_table_shows_text_of_others_as_text(servers: Servers, capsys: pytest.CaptureFixture[str]):
    """Neither markup nor control characters of a site's name reach the terminal."""
    servers.alerts = [alert("a1", site=f"[red]{ESCAPE}ward", text="[/bold] 5 %")]
    assert run(["alerts"]) == 0
    shown = capsys.readouterr().out
    assert "[red]" in shown
    assert ESCAPE not in shown
    assert "a1" in shown
    servers.alerts = []
    assert run(["alerts"]) == 0
    assert "no such alerts" in capsys.readouterr().out


@pytest.mark.parametrize(
    "page",
    [b"<html>", b'{"alerts": [{}]}', json.dumps({"alerts": [alert("a", since="noon")]}).encode(), b"[]"],
)
def test_what_is_no_console_is_named(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], page: bytes
):
    """A proxy's page or another version's answer is one line, not a trace."""
    monkeypatch.setattr(servers, "get", lambda path: (200, {}, page))
    assert run(["alerts"]) == 1
    assert "no console of this version" in capsys.readouterr().err
