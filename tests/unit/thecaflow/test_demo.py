"""The demonstration without servers: its fleet, its settings, its command line."""

from __future__ import annotations

import shlex

import pytest

from ingest import simulator
from thecaflow.cli import run
from thecaflow.demo.fleet import FAULTS, DemoPlan, cases
from thecaflow.demo.place import demo_settings, shell_exports
from thecaflow.settings import Settings

NOW_US = 1_790_000_000_000_000
SMALL = ("--pumps", "4", "--days", "4", "--fault", "stall", "--fault", "program_implausible")


def test_the_fleet_has_every_labelled_fault_and_the_founding_case():
    """Two hundred pumps with the faults that are named, the founding case beside them, and all of it ends now."""
    drawn = cases(DemoPlan(seed=3, end_us=NOW_US))
    labels = simulator.labels(drawn)
    wanted = {name: int(count) for name, count in (fault.split(":") for fault in FAULTS)}
    kinds = [label.kind for label in labels if label.cause is not None and label.pump != "founding"]
    assert {kind: kinds.count(kind) for kind in wanted} == wanted
    assert len(drawn) == 201
    assert {case.end_us for case in drawn} == {NOW_US}
    [founding] = [label for label in labels if label.pump == "founding" and label.cause is not None]
    assert founding.cause == "dry_before_alarm"


def test_the_same_seed_is_the_same_fleet():
    """A printed seed repeats a run: only the time that it ends is another."""
    one, other = (
        [(label.pump, label.kind) for label in simulator.labels(cases(DemoPlan(seed=seed, end_us=NOW_US)))]
        for seed in (5, 5)
    )
    assert one == other


def test_nothing_of_anybody_else_is_wiped():
    """Database, topics and group are the demonstration's own; the servers are those of the settings."""
    base = Settings()
    demo = demo_settings(base)
    assert demo.database == f"{base.database}_demo"
    for name in ("events_topic", "facts_topic", "consumer_group"):
        assert getattr(demo, name) == f"{getattr(base, name)}_demo"
    assert (demo.kafka, demo.gateway_port) == (base.kafka, base.gateway_port)


def test_a_shell_can_look_at_it():
    """The printed line makes Settings.from_env in that shell the demonstration's."""
    demo = demo_settings(Settings())
    words = shlex.split(shell_exports(demo))
    assert words[0] == "export"
    seen = Settings.from_env(dict(word.split("=", 1) for word in words[1:]))
    assert seen.database == demo.database
    assert seen.events_topic == demo.events_topic


def test_offline_prints_the_table_and_the_ledger(capsys: pytest.CaptureFixture[str]):
    """No servers: the same fleet through the fold, faults named with their delays, a dose ledger."""
    assert run(["demo", "--offline", "--seed", "11", *SMALL]) == 0
    told = capsys.readouterr().out
    assert "seed 11" in told
    assert "3 of 3 named" in told
    for words in ("motor_stall", "program_implausible", "dry_before_alarm", "dose ledger of"):
        assert words in told


def test_a_missed_fault_is_exit_1(capsys: pytest.CaptureFixture[str]):
    """A fault that no alert of its cause names fails the run and is shown as missed."""
    blind = [
        "--pumps",
        "2",
        "--days",
        "2",
        "--fault",
        "under_delivery",
        "--seed",
        "1",
    ]  # too slight for two days
    assert run(["demo", "--offline", *blind]) == 1
    assert "MISSED" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["--fault", "gremlins"], ["--pumps", "2"], ["--period", "5h"], ["--days", "1"]],
    ids=["unknown fault", "more faults than pumps", "upload before a sample", "too short"],
)
def test_what_cannot_be_made_is_usage(arguments: list[str]):
    """Exit 2 before anything is started."""
    assert run(["demo", "--offline", *arguments]) == 2
