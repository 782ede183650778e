"""The image's health check asks whichever of our servers this container runs."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from thecaflow.healthy import main


class Worker(BaseHTTPRequestHandler):
    """Alive, but not ready."""

    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()
        self.wfile.write(b'{"ready": false}')

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing: standard error is the test's."""


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container of which no port answers: port 1 is nobody's."""
    for part in ("GATEWAY", "WORKER", "CONSOLE", "PAGER"):
        monkeypatch.setenv(f"THECAFLOW_{part}_PORT", "1")


@pytest.fixture
def worker(alone: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A container that runs a worker."""
    with HTTPServer(("127.0.0.1", 0), Worker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("THECAFLOW_WORKER_PORT", str(server.server_port))
        yield server.server_port
        server.shutdown()


def test_health_is_the_answer_of_the_one_server_there_is(worker: int, capsys: pytest.CaptureFixture[str]):
    """A worker that lives but takes no polls is healthy and not ready, and says why."""
    assert main([]) == 0
    assert main(["readyz"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"port {worker}: 200",
        f'port {worker}: 503 {{"ready": false}}',
    ]


def test_a_proxy_for_the_way_out_is_not_asked(worker: int, monkeypatch: pytest.MonkeyPatch):
    """An engine gives its containers such a one by the environment; 127.0.0.1 means another machine there."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert main([]) == 0


def test_silence_is_unhealthy(alone: None, capsys: pytest.CaptureFixture[str]):
    """A process that listens nowhere fails the check."""
    assert main(["healthz"]) == 1
    assert capsys.readouterr().out == "nothing answers\n"


def test_wrong_settings_and_wrong_words_are_told_apart(alone: None, monkeypatch: pytest.MonkeyPatch):
    """A misspelt page in a compose file is exit 2, a setting that cannot be used is one line and exit 1."""
    assert main(["metrics"]) == 2
    monkeypatch.setenv("THECAFLOW_WORKER_PORT", "no port")
    assert main([]) == 1
