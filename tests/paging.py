"""Prometheus and Alertmanager with the project's own rules and routes, and both ends of them under a test's hand.

One end is a stand-in for consoles: it serves the alerting metrics of whatever alerts a test opens. The other takes the
webhooks and remembers when each came.
"""

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.native import NativeStack, native_stack

PARTS = ("prom", "am")
POLL_S = 0.1
OPEN_WITHIN_S = 20.0
"""What the issue allows from a fact to its webhook."""


@dataclass(frozen=True)
class Webhook:
    """One notification: the receiver it is for, when it came, and its alerts with their labels."""

    receiver: str
    at_s: float
    alerts: tuple[dict[str, Any], ...]

    def of(self, **labels: str) -> list[dict[str, Any]]:
        """Return its alerts with these labels."""
        return [alert for alert in self.alerts if labels.items() <= alert["labels"].items()]


class Receiver:
    """Takes webhooks on one port of the loopback until it is closed."""

    def __init__(self, port: int) -> None:
        self._taken: list[Webhook] = []
        taken = self._taken

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                taken.append(Webhook(self.path.strip("/"), time.monotonic(), tuple(body["alerts"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = _serve(port, Handler)

    def taken(self, receiver: str | None = None, since_s: float = 0.0, **labels: str) -> list[Webhook]:
        """Webhooks of a receiver (None: of any) that hold an alert with these labels, oldest first."""
        return [
            webhook
            for webhook in list(self._taken)
            if receiver in (None, webhook.receiver) and webhook.at_s >= since_s and webhook.of(**labels)
        ]

    def close(self) -> None:
        """Stop listening."""
        _stop(self._server)


@dataclass(frozen=True)
class Opened:
    """An alert as a console's metrics have it."""

    pump: str
    site: str
    cause: str
    priority: str
    handled: bool = False
    harm_s: float | None = None


@dataclass
class Console:
    """A stand-in for a console: `alerts` is what it serves; down, its port is closed."""

    port: int
    alerts: set[Opened] = field(default_factory=set)
    silent: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each site: silent pumps, pumps."""
    _server: ThreadingHTTPServer | None = None

    def up(self) -> None:
        """Begin to answer."""
        console = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = console.exposition().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        if self._server is None:
            self._server = _serve(self.port, Handler)

    def down(self) -> None:
        """Stop answering."""
        if self._server is not None:
            _stop(self._server)
            self._server = None

    def exposition(self) -> str:
        """Return the metrics in Prometheus' text format."""
        lines = ["thecaflow_console_database_up 1", "thecaflow_console_snapshot_age_seconds 0.5"]
        for alert in list(self.alerts):
            labels = f'{{pump="{alert.pump}",site="{alert.site}",cause="{alert.cause}",priority="{alert.priority}"}}'
            lines.append(f"thecaflow_alert_active{labels} 1")
            if alert.handled:
                lines.append(f"thecaflow_alert_handled{labels} 1")
            if alert.harm_s is not None:
                lines.append(f"thecaflow_alert_harm_seconds{labels} {alert.harm_s}")
        for site, (silent, pumps) in dict(self.silent).items():
            lines.append(f'thecaflow_site_silent_pumps{{site="{site}"}} {silent}')
            lines.append(f'thecaflow_site_pumps{{site="{site}"}} {pumps}')
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Paging:
    """The running pair, two consoles in front of it and the receiver behind it."""

    stack: NativeStack
    consoles: tuple[Console, Console]
    receiver: Receiver

    def reload_routes(self, change: Callable[[str], str]) -> None:
        """Change the text of the running Alertmanager's configuration and have it read."""
        path = self.stack.home / "conf" / "alertmanager" / "alertmanager.yml"
        path.write_text(change(path.read_text()))
        os.kill(self.stack.pid("am"), signal.SIGHUP)


@contextmanager
def receiver_behind(stack: NativeStack) -> Iterator[Receiver]:
    """Start the pair on a stack's ports, aimed at whatever console answers there, and take its webhooks."""
    receiver = Receiver(int(stack.environ["PAGER_PORT"]))
    try:
        stack.start(*PARTS)
        wait_for(
            lambda: _knows_alertmanager(int(stack.environ["PROMETHEUS_PORT"])), 30.0, "a pair that works"
        )
        yield receiver
    finally:
        receiver.close()
        stack.run("wipe", *PARTS)


@contextmanager
def own_paging() -> Iterator[Paging]:
    """Start the pair in a slot of its own, without log and database, with two stand-ins that are up and serve no alert."""
    with native_stack(*PARTS) as stack, receiver_behind(stack) as receiver:
        first = int(stack.environ["CONSOLE_PORT"])
        consoles = Console(first), Console(first + 1)
        for console in consoles:
            console.up()
        try:
            yield Paging(stack, consoles, receiver)
        finally:
            for console in consoles:
                console.down()


def wait_for(found: Callable[[], Any], limit_s: float, what: str) -> Any:
    """Wait until `found()` is true and return it; fails naming `what` after `limit_s`."""
    end = time.monotonic() + limit_s
    while not (answer := found()):
        assert time.monotonic() < end, f"{what}: not within {limit_s:.0f} s"
        time.sleep(POLL_S)
    return answer


def _knows_alertmanager(port: int) -> bool:
    """Whether Prometheus has found Alertmanager, some 5 s after its start; what fires before is sent a minute later."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alertmanagers", timeout=5) as answer:
        return bool(json.load(answer)["data"]["activeAlertmanagers"])


def _serve(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def _stop(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()
