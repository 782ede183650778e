"""The local receiver of webhooks: what it writes, what it shows, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from litestar.testing import TestClient

from thecaflow.page_file import forget_pages, pages_of, read_pages
from thecaflow.pager import BODY_BYTES, Pager

ALERT = {
    "status": "firing",
    "labels": {"alertname": "MotorStall", "pump": "pump-7", "cause": "motor_stall", "priority": "medium"},
    "annotations": {"summary": "The rotor stands"},
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "c0ffee",
}
WEBHOOK = {
    "version": "4",
    "groupKey": '{}:{site="north"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "notification",
    "groupLabels": {"site": "north"},
    "externalURL": "http://alertmanager",
    "alerts": [ALERT, ALERT | {"status": "resolved", "fingerprint": "beef"}],
}
JSON = {"content-type": "application/json"}


def test_each_alert_of_a_webhook_is_a_line(tmp_path: Path):
    """Receiver and group of the webhook, status and labels of the alert, and when it came, in order of arrival."""
    path = tmp_path / "run" / "pages.jsonl"
    with TestClient(Pager(path).app()) as client:
        assert client.post("/pages/loud", content=json.dumps(WEBHOOK), headers=JSON).json() == {"taken": 2}
        client.post("/", content=json.dumps(WEBHOOK | {"alerts": [ALERT], "receiver": "page"}), headers=JSON)
    first, second, third = read_pages(path)
    assert [page.status for page in (first, second, third)] == ["firing", "resolved", "firing"]
    assert [page.receiver for page in (first, second, third)] == ["notification", "notification", "page"]
    assert first.group_key == WEBHOOK["groupKey"]
    assert first.labels == ALERT["labels"]
    assert first.fingerprint == "c0ffee"
    assert first.arrived_us <= second.arrived_us <= third.arrived_us
    assert {"arrived", "receiver", "groupKey", "status", "startsAt"} <= set(
        json.loads(path.read_text().splitlines()[0])
    )


def test_the_newest_are_shown_as_text_or_json(tmp_path: Path):
    """Newest first, also those of an earlier run of the receiver."""
    path = tmp_path / "pages.jsonl"
    with TestClient(Pager(path).app()) as client:
        assert client.get("/").text == "nothing has arrived yet\n"
        client.post("/", content=json.dumps(WEBHOOK), headers=JSON)
    with TestClient(Pager(path).app()) as client:
        lines = client.get("/").text.splitlines()
        assert lines[1].endswith("notification firing medium pump-7 motor_stall The rotor stands")
        shown = client.get("/", headers={"accept": "application/json"}).json()
        assert [page["status"] for page in shown] == ["resolved", "firing"]
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", JSON, 400),
        (b"not json", JSON, 400),
        (json.dumps({"receiver": "page", "alerts": [{"status": "burning", "labels": {}}]}), JSON, 400),
        (json.dumps(WEBHOOK), {"content-type": "text/plain"}, 415),
        (b" " * (BODY_BYTES + 1), JSON, 413),
    ],
    ids=["another object", "no JSON", "unknown status", "a form of a web page", "too large"],
)
def test_what_is_not_a_webhook_is_refused(tmp_path: Path, body: bytes, headers: dict[str, str], status: int):
    """Refused with a reason, and nothing is written."""
    path = tmp_path / "pages.jsonl"
    with TestClient(Pager(path).app()) as client:
        assert client.post("/", content=body, headers=headers).status_code == status
    assert read_pages(path) == []
    assert not path.exists()


def test_alertmanager_is_told_to_try_again_when_the_disk_is_full(tmp_path: Path):
    """503, not 200: what was not written down was not received."""
    path = tmp_path / "a file" / "pages.jsonl"
    (tmp_path / "a file").write_text("in the way of the folder")
    with TestClient(Pager(tmp_path / "elsewhere").app()) as client:
        assert client.post("/", content=json.dumps(WEBHOOK), headers=JSON).status_code == 200
    receiver = Pager(tmp_path / "elsewhere")
    receiver._path = path
    with TestClient(receiver.app()) as client:
        assert client.post("/", content=json.dumps(WEBHOOK), headers=JSON).status_code == 503
        assert len(client.get("/").text.splitlines()) == 2


def test_the_file_is_bounded(tmp_path: Path):
    """A full file moves aside once; what is older than that is gone, what is left is read in order."""
    path = tmp_path / "pages.jsonl"
    receiver = Pager(path, file_bytes=2_000)
    for number in range(40):
        receiver.take(pages_of(json.dumps(WEBHOOK).encode(), number))
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 2_000
    left = read_pages(path)
    assert left[-1].arrived_us == 39
    assert [page.arrived_us for page in left] == sorted(page.arrived_us for page in left)
    forget_pages(path)
    assert read_pages(path) == []


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path):
    """A reader beside the receiver never meets half a line."""
    path = tmp_path / "pages.jsonl"
    Pager(path).take(pages_of(json.dumps(WEBHOOK).encode(), 1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert len(read_pages(path)) == 2
