"""Replay against targets in memory: order, speed, retries, resuming, and what it reports."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest
import zstandard

from contract.codec import decode_msgpack
from contract.errors import UnusableInputError
from ingest import replay_targets
from ingest.intake import EventResult
from ingest.replay import GivenUpError, ReplayOptions, replay
from ingest.replay_report import Mark, State, Tally
from ingest.replay_source import Source
from ingest.replay_targets import GatewayTarget, LaterError, TooLargeError, TurnedAwayError
from tests.unit.contract.samples import line
from tests.unit.ingest.gateway_double import Double, gateway


def numbered(count: int, pumps: int = 7) -> list[bytes]:
    return [
        line("resumed", id=f"id-{number}", pump=f"pump-{number % pumps}", seq=number,
             received=f"2026-01-31T09:{number // 60 % 60:02d}:{number % 60:02d}.000000Z")
        for number in range(count)
    ]  # fmt: skip


def stored(folder: Path, lines: Sequence[bytes], name: str = "events.jsonl") -> str:
    path = folder / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


class Memory:
    """A target that keeps lines, and fails as told."""

    def __init__(
        self, fail: Callable[[Sequence[bytes]], None] = lambda _lines: None, pause_s: float = 0.0
    ) -> None:
        self.lines: list[bytes] = []
        self.sizes: list[int] = []
        self.fail = fail
        self.pause_s = pause_s

    async def send(self, lines: Sequence[bytes]) -> list[EventResult]:
        """Keep the lines; what says `refuse` is refused."""
        await asyncio.sleep(self.pause_s)
        self.fail(lines)
        self.lines += lines
        self.sizes.append(len(lines))
        return [
            EventResult(None, "refused", "no") if b"refuse" in text else EventResult(None, "accepted")
            for text in lines
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def test_all_lines_arrive_once_and_each_pump_in_order(tmp_path: Path):
    """Lanes run at the same time, but a pump keeps to one."""
    lines = numbered(3000)
    target = Memory(pause_s=0.001)
    report = await replay(Source([stored(tmp_path, lines)]), target, ReplayOptions(batch=50, lanes=4))
    assert sorted(target.lines) == sorted(lines)
    assert (report.sent, report.acknowledged, report.refused, report.finished) == (3000, 3000, 0, True)
    assert report.resume_from == 3000
    by_pump = defaultdict(list)
    for text in target.lines:
        by_pump[json.loads(text)["pump"]].append(json.loads(text)["seq"])
    assert len(by_pump) == 7
    assert all(sequence == sorted(sequence) for sequence in by_pump.values())
    assert max(target.sizes) == 50


async def test_a_file_may_be_compressed_broken_in_lines_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Plain, gzip and zstd are told apart by their bytes; blank lines are none, broken ones are sent as they are."""
    lines = [*numbered(300), b"broken", b'{"pump":5}', b"\xff\xfe"]
    text = b"\r\n\n".join(lines)
    forms = {
        "a": text,
        "b": gzip.compress(text),
        "c": zstandard.compress(text) + zstandard.compress(b"\nlast"),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        target = Memory()
        report = await replay(Source([str(tmp_path / name)]), target, ReplayOptions())
        assert sorted(target.lines) == sorted([*lines, b"last"] if name == "c" else lines), name
        assert report.acknowledged == len(target.lines)
    pipe = io.BufferedReader(io.BytesIO(gzip.compress(text)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))
    target = Memory()
    await replay(Source(["-", str(tmp_path / "a")]), target, ReplayOptions())
    assert sorted(target.lines) == sorted(lines * 2)


async def test_a_broken_archive_and_a_missing_file_are_unusable(tmp_path: Path):
    """The message names the file, and what was read before is sent."""
    path = tmp_path / "half.archive"
    lines = b"\n".join(numbered(300))
    packed = gzip.compress(lines)
    damaged = packed[:50] + b"\0" * 100 + packed[150:]
    for broken in (packed[:-20], damaged, zstandard.compress(lines)[:-20]):
        path.write_bytes(broken)
        with pytest.raises(UnusableInputError, match=r"half\.archive"):
            await replay(Source([str(path)]), Memory(), ReplayOptions())
    with pytest.raises(UnusableInputError, match="no such file"):
        Source([str(tmp_path / "none")])


async def test_speed_and_rate_set_the_pace(tmp_path: Path):
    """Ten seconds at 20x take half a second, and fifty events at 100 a second too."""
    path = stored(tmp_path, numbered(11))
    for options in (ReplayOptions(speed=20.0), ReplayOptions(rate_events_s=20.0)):
        began = time.monotonic()
        report = await replay(Source([path]), Memory(), options)
        assert 0.45 <= time.monotonic() - began < 2.0
        assert report.acknowledged == 11


async def test_sorting_sends_in_the_order_of_received(tmp_path: Path):
    """A file in any order is replayed as it was received."""
    lines = numbered(100, pumps=1)
    target = Memory()
    await replay(Source([stored(tmp_path, lines[::-1])]), target, ReplayOptions(sort=True))
    assert target.lines == lines


async def test_what_cannot_be_taken_now_is_sent_again(tmp_path: Path):
    """Retry-After is waited for, nothing is lost or counted twice."""
    failures = 0

    def fail(_lines: Sequence[bytes]) -> None:
        nonlocal failures
        failures += 1
        if failures % 3:
            raise LaterError("full", 0.01)

    target = Memory(fail)
    report = await replay(Source([stored(tmp_path, numbered(200))]), target, ReplayOptions(batch=20, lanes=2))
    assert len(target.lines) == 200
    assert (report.sent, report.acknowledged) == (200, 200)
    assert report.retries > 0


async def test_a_target_that_never_comes_back_ends_the_replay(tmp_path: Path):
    """After the time to give up the last reason is told."""

    def fail(_lines: Sequence[bytes]) -> None:
        raise LaterError("the broker is away", 0.01)

    with pytest.raises(GivenUpError, match="the broker is away"):
        await replay(Source([stored(tmp_path, numbered(10))]), Memory(fail), ReplayOptions(give_up_s=0.1))


async def test_too_large_a_body_is_halved_and_a_line_too_large_is_refused(tmp_path: Path):
    """Only the line that no body can hold is counted as refused."""
    lines = [*numbered(50, pumps=1), line("note", pump="pump-0", text="x" * 5000)]

    def fail(batch: Sequence[bytes]) -> None:
        if sum(map(len, batch)) > 4000:
            raise TooLargeError("413")

    target = Memory(fail)
    report = await replay(Source([stored(tmp_path, lines)]), target, ReplayOptions(lanes=1))
    assert target.lines == lines[:-1]
    assert (report.sent, report.acknowledged, report.refused) == (51, 50, 1)


async def test_a_replay_goes_on_where_it_was(tmp_path: Path):
    """Whatever was acknowledged without a gap is not sent again, the rest is, and the end is the whole file."""
    lines = numbered(1000)
    path, state = stored(tmp_path, lines), tmp_path / "state"
    sends = 0

    def fail(_lines: Sequence[bytes]) -> None:
        nonlocal sends
        sends += 1
        if sends > 12:
            raise TurnedAwayError("no more")

    first = Memory(fail)
    options = ReplayOptions(batch=25, lanes=3, state=state)
    with pytest.raises(TurnedAwayError):
        await replay(Source([path]), first, options)
    mark = State.read(state)
    assert mark is not None
    assert 0 < mark.lines <= len(first.lines)
    assert set(lines[: mark.lines]) <= set(first.lines)
    second = Memory()
    report = await replay(Source([path]), second, options)
    assert second.lines
    assert (report.skipped, report.sent) == (mark.lines, 1000 - mark.lines)
    assert set(first.lines) | set(second.lines) == set(lines)
    third = Memory()
    assert (await replay(Source([path]), third, options)).sent == 0
    with pytest.raises(UnusableInputError, match="another file"):
        await replay(Source([stored(tmp_path, lines[1:], "other")]), third, options)
    by_number = Memory()
    await replay(Source([path]), by_number, ReplayOptions(resume_from=990))
    assert sorted(by_number.lines) == sorted(lines[990:])


async def test_refused_lines_are_reported_and_not_passed_over(tmp_path: Path):
    """The mark stays before them, so that a token with more scope can send them in a later run."""
    lines = [*numbered(20, pumps=1), line("note", pump="pump-0", text="refuse"), *numbered(20, pumps=1)]
    report = await replay(Source([stored(tmp_path, lines)]), Memory(), ReplayOptions(batch=7))
    assert (report.refused, report.acknowledged, report.resume_from) == (1, 40, 20)
    assert report.reasons == {"no": 1}


def test_the_mark_counts_only_what_has_no_gap_before_it():
    """Acknowledgements come in any order."""
    mark = Mark(10)
    for number in (13, 12, 15):
        mark.acknowledged(number)
    assert mark.lines == 10
    mark.acknowledged(11)
    assert mark.lines == 13
    mark.refused(14)
    mark.acknowledged(14)
    assert mark.lines == 13


def test_percentiles_are_within_a_hundredth():
    """A histogram of 1 % steps tells p50, p90, p99 and the exact maximum."""
    tally = Tally(0)
    for number in range(1, 1001):
        tally.add_latency(number / 1000)
    latency = tally.report(1.0, finished=True).latency
    assert latency.p50_ms == pytest.approx(500, rel=0.011)
    assert latency.p90_ms == pytest.approx(900, rel=0.011)
    assert latency.p99_ms == pytest.approx(990, rel=0.011)
    assert latency.max_ms == 1000.0


def test_a_file_that_is_no_state_is_not_overwritten_silently(tmp_path: Path):
    """Somebody may have named the wrong file."""
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    with pytest.raises(UnusableInputError, match="no resume file"):
        State.read(path)


def target_of(double: Double, secret: str) -> GatewayTarget:
    target = GatewayTarget("http://gateway/v1/events", secret, 4)
    inner = double.client._transport
    target._client = httpx.AsyncClient(transport=inner, headers=target._client.headers)
    return target


async def test_replay_through_the_gateway_keeps_received_and_accounts_for_every_line(tmp_path: Path):
    """Accepted, quarantined and refused add up, and the log has what was recorded."""
    lines = [*numbered(500), b"broken", b'{"type":"tick","at":"2026-01-31T08:00:00Z"}']
    async with gateway() as double:
        secret = double.add_token(replay=True)
        report = await replay(
            Source([stored(tmp_path, lines)]), target_of(double, secret), ReplayOptions(batch=40)
        )
        assert (report.sent, report.acknowledged, report.quarantined, report.refused) == (502, 501, 1, 1)
        events = [decode_msgpack(record.wire) for record in double.log.records if record.quarantined is None]
        assert {event.id for event in events} == {f"id-{number}" for number in range(500)}
        assert len({event.received_us for event in events}) == 500


async def test_the_gateway_says_no_to_all_or_not_yet(tmp_path: Path):
    """A wrong token ends the replay with a message; 429 and 413 are obeyed."""
    path = stored(tmp_path, numbered(30))
    async with gateway() as double:
        with pytest.raises(TurnedAwayError, match="401"):
            await replay(Source([path]), target_of(double, "nobody"), ReplayOptions())
    async with gateway(rate=50.0) as double:
        report = await replay(Source([path] * 10), target_of(double, double.secret), ReplayOptions(batch=50))
        assert report.acknowledged == 300
        assert report.retries > 0
    from ingest.gateway import GatewayLimits

    async with gateway(GatewayLimits(body_bytes=900)) as double:
        report = await replay(Source([path]), target_of(double, double.secret), ReplayOptions())
        assert (report.acknowledged, report.refused) == (30, 0)


async def test_no_gateway_at_all_is_waited_for():
    """A connection that cannot be made is a reason to try again, not to end."""
    target = GatewayTarget("http://127.0.0.1:1", "secret", 1)
    with pytest.raises(LaterError, match="no gateway answers"):
        await target.send([b"{}"])
    await target.close()
    odd = httpx.Response(503, headers={"Retry-After": "nonsense"})
    assert replay_targets.retry_after_s(odd) == replay_targets.RETRY_AFTER_S
