"""`thecaflow status` without servers: order, words, JSON, exit codes."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from contract.times import HOUR_US
from storage.overview import Arrived, OpenAlertRow, PartitionProgress, PumpOverview
from thecaflow import overview
from thecaflow.cli import run
from thecaflow.commands import status
from thecaflow.overview import Lag, Overview, as_json, assemble
from thecaflow.status_screen import show, span

NOW_US = 1_790_000_000_000_000


def pump(name: str, empty_hours: float | None = None) -> PumpOverview:
    """A pump whose reservoir may be empty in so many hours."""
    empty_us = None if empty_hours is None else NOW_US + round(empty_hours * HOUR_US)
    return PumpOverview(name, NOW_US, 1.02, empty_us, empty_us, None, None)


def alert(
    name: str, priority: str, harm_hours: float | None = None, cause: str = "occlusion"
) -> OpenAlertRow:
    """An open alert whose harm may begin in so many hours."""
    harm_us = None if harm_hours is None else NOW_US + round(harm_hours * HOUR_US)
    since_us = NOW_US - 3 * HOUR_US
    return OpenAlertRow(
        name, since_us, cause, f"{name}-{cause}", "active", priority, since_us, harm_us, None, "Look at it."
    )


def assembled(*, unreachable: str | None = None) -> Overview:
    """Five pumps, three of them with alerts, one partition behind."""
    end = None if unreachable else 120
    return assemble(
        NOW_US,
        [pump("quiet"), pump("empties", 30), pump("low"), pump("soon"), pump("late")],
        [
            alert("low", "low"),
            alert("late", "high", 50),
            alert("soon", "medium", 2),
            alert("soon", "high", 9, "leak"),
        ],
        Arrived(10, 240, NOW_US - 60_000_000),
        [Lag(0, end, 100, NOW_US), Lag(1, end and 7, 7, None)],
        unreachable,
    )


def printed(found: Overview, pumps: int = 20) -> str:
    """What a terminal of 140 columns would show."""
    text = io.StringIO()
    show(found, pumps, Console(file=text, width=140))
    return text.getvalue()


def test_the_fleet_is_in_order_of_harm():
    """Nearest harm of any open alert first, then the nearest early empty time, then the loudest."""
    assert [one.overview.pump for one in assembled().fleet] == ["soon", "late", "empties", "low", "quiet"]


def test_alerts_are_in_order_of_gravity():
    """High before medium before low; within one priority the nearest harm first."""
    assert [(one.pump, one.cause) for one in assembled().alerts] == [
        ("soon", "leak"),
        ("late", "occlusion"),
        ("soon", "occlusion"),
        ("low", "occlusion"),
    ]


def test_lag_is_what_the_database_lacks():
    """Records in the log less those committed, over all partitions."""
    assert assembled().lag == 20
    assert Lag(3, 5, 9, None).records == 0  # asked before the commit, answered after it
    assert assembled(unreachable="no Kafka").lag is None


def test_what_is_printed():
    """Alerts with text, pumps with times in words, lag, rates; hidden pumps are counted."""
    told = printed(assembled(), pumps=2)
    for words in (
        "4 open alerts",
        "Look at it.",
        "in 9.0 h",
        "5 pumps by time to harm, 3 more",
        "lag: 20 records",
    ):
        assert words in told
    assert "2 events and 48 samples a minute, the newest 60 s ago" in told
    assert "quiet" not in told


def test_an_empty_system_is_shown_as_such():
    """No pump and no alert are words, not empty tables."""
    told = printed(assemble(NOW_US, [], [], Arrived(0, 0, None), [], None))
    assert "no open alerts" in told
    assert "no pump is known yet" in told


def test_json_has_everything_with_times_as_text():
    """The whole fleet, not only what a terminal has room for."""
    told = msgspec.json.decode(msgspec.json.encode(as_json(assembled())))
    assert [one["pump"] for one in told["fleet"]] == ["soon", "late", "empties", "low", "quiet"]
    assert told["alerts"][0]["harm_at"]["lo"].endswith("Z")
    assert told["lag"] == {"records": 20, "unreachable": None}
    assert told["partitions"][0] == {
        "partition": 0, "end": 120, "committed": 100, "lag": 20, "committed_at": told["at"],
    }  # fmt: skip


@pytest.mark.parametrize(("unreachable", "code"), [(None, 0), ("no Kafka answers", 1)])
def test_a_broker_that_is_away_is_exit_1_and_the_rest_is_shown(
    unreachable: str | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Lag is unknown then; alerts and fleet come from the database."""

    async def gather(*_arguments: object) -> Overview:
        return assembled(unreachable=unreachable)

    monkeypatch.setattr(status, "gather", gather)
    assert run(["status"]) == code
    told = capsys.readouterr().out
    assert "4 open alerts" in told
    assert ("lag: unknown" in told) is (code == 1)
    assert unreachable is None or unreachable in told


def test_a_database_that_is_away_is_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Nothing can be shown; one line says what to do."""
    monkeypatch.setenv("THECAFLOW_DATABASE", "postgresql://postgres@127.0.0.1:1/nothing")
    assert run(["status"]) == 2
    assert "make up" in capsys.readouterr().err


def test_partitions_without_a_commit_are_all_lag():
    """A partition that the database has nothing of yet counts from 0."""
    found = overview.lags_of({0: 5, 1: 7}, [PartitionProgress(1, 7, NOW_US)])
    assert [(lag.partition, lag.records) for lag in found] == [(0, 5), (1, 0)]


@pytest.mark.parametrize(
    ("length_us", "words"),
    [(90_000_000, "90 s"), (10 * 60_000_000, "10 min"), (5 * HOUR_US, "5.0 h"), (72 * HOUR_US, "3.0 d")],
)
def test_lengths_in_words(length_us: int, words: str):
    """The unit is one of which there are two or more."""
    assert span(length_us) == words
