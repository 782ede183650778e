"""Serves /metrics, /healthz and /readyz from a thread of its own, so that it answers when the event loop does not.

The same thread's watch ends a process that stays stuck: a supervisor can restart what exits, not what hangs.
"""

from __future__ import annotations

import errno
import json
import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from processors.health import EXIT_AFTER_S, Health, Progress
from processors.metrics import Metrics

logger = logging.getLogger(__name__)

PORTS_TRIED: Final = 32
WATCH_INTERVAL_S: Final = 1.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class WorkerHttp:
    """The three pages and the watch; `start` binds, `close` frees the port.

    Parameters
    ----------
    ready
        Whether the worker reads and commits at the moment.
    on_stuck
        Called once, from the watch's thread, when the worker was stuck for `exit_after_s`; meant to end the process.
    """

    def __init__(
        self,
        metrics: Metrics,
        progress: Progress,
        ready: Callable[[], bool],
        on_stuck: Callable[[str], None],
        *,
        exit_after_s: float = EXIT_AFTER_S,
    ) -> None:
        self._metrics = metrics
        self._progress = progress
        self._ready = ready
        self._on_stuck = on_stuck
        self._exit_after_s = exit_after_s
        self._closed = threading.Event()
        self._server: _Server | None = None

    def start(self, host: str, port: int, *, exactly: bool = False) -> int:
        """Bind and serve; return the port.

        Unless `exactly`, a port in use (by another worker of this machine) means the next one is tried. Raises OSError.
        """
        self._server = _bind(host, port, self._handler(), 1 if exactly or port == 0 else PORTS_TRIED)
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        return self._server.server_port

    def close(self) -> None:
        """Stop serving and watching."""
        self._closed.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def page(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Return status, content type and body of a page."""
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, self._metrics.exposition()
        if path == "/healthz":
            verdict = self._progress.verdict()
            well = verdict.health is not Health.STUCK
            body = {
                "status": verdict.health.value,
                "silent_s": round(verdict.silent_s, 1),
                "text": verdict.text,
            }
            return (HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE), *_json(body)
        if path == "/readyz":
            ready = self._ready()
            return (HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE), *_json({"ready": ready})
        return HTTPStatus.NOT_FOUND, *_json({"pages": ["/metrics", "/healthz", "/readyz"]})

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_INTERVAL_S):
            verdict = self._progress.verdict()
            if verdict.silent_s > self._exit_after_s:
                self._on_stuck(f"stuck for {verdict.silent_s:.0f} s: {verdict.text}")
                return

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self.page

        class Handler(BaseHTTPRequestHandler):
            server_version = "thecaflow-worker"

            def do_GET(self) -> None:
                status, content_type, body = page(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                logger.debug(format, *args)

        return Handler


def _bind(host: str, port: int, handler: type[BaseHTTPRequestHandler], tries: int) -> _Server:
    for attempt in range(tries):
        try:
            return _Server((host, port + attempt), handler)
        except OSError as refused:
            if refused.errno != errno.EADDRINUSE or attempt == tries - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _json(body: object) -> tuple[str, bytes]:
    return "application/json", json.dumps(body).encode() + b"\n"
