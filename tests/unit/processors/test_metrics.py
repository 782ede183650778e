"""The catalogue of metrics, the health that is judged by progress, and the pages that show both."""

import json
import time
import urllib.request

import pytest

from processors.health import Health, Progress
from processors.metrics import Metric, Metrics
from processors.worker_http import WorkerHttp


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(stuck_after_s=60, clock=clock)


def test_every_metric_has_a_name_of_ours_and_bounded_labels():
    """A pump's id as a label would make as many series as there are pumps."""
    names = [metric.value.name for metric in Metric]
    assert len(set(names)) == len(names)
    assert all(name.startswith("thecaflow_") for name in names)
    assert {label for metric in Metric for label in metric.value.labels} == {"partition"}


def test_each_kind_of_metric_takes_its_own_calls_only():
    """A gauge that is counted up, or a counter that is set, is a mistake found at once."""
    metrics = Metrics()
    metrics.add(Metric.FRAMES, 3, partition="1")
    metrics.set(Metric.LAG, 7, partition="1")
    metrics.observe(Metric.FOLD_SECONDS, 0.002)
    text = metrics.exposition().decode()
    assert 'thecaflow_frames_total{partition="1"} 3.0' in text
    assert 'thecaflow_lag_records{partition="1"} 7.0' in text
    assert 'thecaflow_fold_seconds_bucket{le="0.0025"} 1.0' in text
    with pytest.raises(TypeError, match="LAG is no counter"):
        metrics.add(Metric.LAG, partition="1")
    with pytest.raises(TypeError, match="FRAMES is no gauge"):
        metrics.set(Metric.FRAMES, 1, partition="1")
    with pytest.raises(TypeError, match="LAG is no histogram"):
        metrics.observe(Metric.LAG, 1)


def test_a_partition_that_went_to_another_worker_leaves_no_gauge_behind():
    """Two workers would show different lags of one partition; counters stay, since they must not fall."""
    metrics = Metrics()
    metrics.add(Metric.FRAMES, 3, partition="1")
    metrics.set(Metric.LAG, 7, partition="1")
    metrics.forget_partition(1)
    metrics.forget_partition(2)
    text = metrics.exposition().decode()
    assert "thecaflow_lag_records{" not in text
    assert 'thecaflow_frames_total{partition="1"} 3.0' in text


def test_an_idle_worker_is_well_as_long_as_the_broker_says_that_nothing_is_left(
    progress: Progress, clock: Clock
):
    """No commit for ten minutes is no trouble if the log's end is the database's offset."""
    progress.hold([0])
    progress.loaded(0, 5)
    for _ in range(10):
        clock.now += 59
        progress.measured({0: 5})
    assert progress.verdict().health is Health.IDLE


def test_a_worker_with_lag_and_no_progress_is_stuck(progress: Progress, clock: Clock):
    """The broker answers, records wait, nothing is committed: stuck after the limit, and named with its lag."""
    progress.hold([0, 1])
    progress.loaded(0, 5)
    progress.loaded(1, 5)
    clock.now += 61
    assert progress.measured({0: 9, 1: 5}) == {0: 4, 1: 0}
    verdict = progress.verdict()
    assert verdict.health is Health.STUCK
    assert verdict.text == "no progress on partitions 0 (lag 4)"
    progress.advanced(0, 7)
    assert progress.verdict().health is Health.PROGRESSING
    assert progress.lags() == {0: 2, 1: 0}


def test_one_stuck_partition_is_not_hidden_by_the_progress_of_others(progress: Progress, clock: Clock):
    """Partition 1 commits on and on, partition 0 hangs: the worker is stuck."""
    progress.hold([0, 1])
    progress.loaded(0, 5)
    for number in range(7):
        clock.now += 10
        progress.measured({0: 9, 1: 100})
        progress.advanced(1, 10 + number)
    assert progress.verdict().health is Health.STUCK


def test_a_silent_broker_is_not_taken_for_an_idle_one(progress: Progress, clock: Clock):
    """When the end of the log cannot be asked any more, nobody knows whether there is something to read."""
    progress.hold([])
    progress.measured({})
    clock.now += 59
    assert progress.verdict().health is Health.IDLE
    clock.now += 2
    assert progress.verdict().health is Health.STUCK
    assert progress.verdict().text == "the broker was not heard of"


def test_a_worker_without_assignment_starts_and_then_is_stuck(progress: Progress, clock: Clock):
    """A database or group that never lets it begin shows after the limit."""
    assert progress.verdict().health is Health.STARTING
    clock.now += 61
    assert progress.verdict().health is Health.STUCK
    assert progress.verdict().text == "never got an assignment"


def test_a_partition_that_went_away_takes_no_part_in_the_judgement(progress: Progress, clock: Clock):
    """Its lag is another worker's."""
    progress.hold([0])
    progress.loaded(0, 5)
    clock.now += 61
    progress.measured({0: 9})
    progress.hold([])
    assert progress.verdict().health is Health.IDLE


def test_the_pages_answer_over_http():
    """/metrics in Prometheus' format, /healthz and /readyz as JSON, anything else 404 with the list."""
    progress = Progress()
    ready = [False]
    pages = WorkerHttp(Metrics(), progress, lambda: ready[0], lambda reason: None)
    port = pages.start("127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b"thecaflow_partitions 0.0" in answer.read()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert json.load(answer)["status"] == "starting"
        assert pages.page("/readyz")[0] == 503
        ready[0] = True
        assert pages.page("/readyz")[0] == 200
        assert pages.page("/favicon.ico")[0] == 404
    finally:
        pages.close()


def test_healthz_is_503_when_stuck(progress: Progress, clock: Clock):
    """What a container's health check looks at."""
    pages = WorkerHttp(Metrics(), progress, lambda: True, lambda reason: None)
    clock.now += 61
    status, _, body = pages.page("/healthz")
    assert status == 503
    assert json.loads(body) == {"status": "stuck", "silent_s": 61.0, "text": "never got an assignment"}


def test_a_second_worker_on_the_machine_takes_the_next_port():
    """The first one's port is in use; asked for exactly, it is an error."""
    pages = [WorkerHttp(Metrics(), Progress(), lambda: True, lambda reason: None) for _ in range(3)]
    first = pages[0].start("127.0.0.1", 0)
    try:
        assert first < pages[1].start("127.0.0.1", first) < first + 32
        with pytest.raises(OSError, match="in use"):
            pages[2].start("127.0.0.1", first, exactly=True)
    finally:
        pages[0].close()
        pages[1].close()


def test_the_watch_ends_a_worker_that_stays_stuck(monkeypatch: pytest.MonkeyPatch):
    """Silence beyond the second limit calls the exit once, with the reason."""
    monkeypatch.setattr("processors.worker_http.WATCH_INTERVAL_S", 0.02)
    reasons: list[str] = []
    pages = WorkerHttp(
        Metrics(), Progress(stuck_after_s=0.01), lambda: True, reasons.append, exit_after_s=0.05
    )
    pages.start("127.0.0.1", 0)
    try:
        end = time.monotonic() + 5
        while not reasons and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(reasons) == 1
        assert reasons[0].endswith("never got an assignment")
    finally:
        pages.close()
