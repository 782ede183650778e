"""The fleets of `make evaluate`: as large as the bars ask, and going on where an interruption left them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from contract.facts import Cause
from ingest import simulator
from ingest.simulation.faults import KINDS
from thecaflow.evaluation import fleets
from thecaflow.evaluation.fleets import HARMFUL, OTHERS, read_scores, score_pumps
from thecaflow.evaluation.scores import PumpScore

SCORE = PumpScore(pump="a", healthy=True, healthy_us=1, span_us=1)


def test_every_kind_of_fault_is_in_the_fleet_and_half_of_it_is_healthy():
    """A fault that the simulator can make is graded; counter restarts are a nuisance and no fault."""
    assert set(HARMFUL) | set(OTHERS) == set(KINDS) - {"counter_restart"}
    plan = fleets.normal(1).plan
    assert len(simulator.assign_faults(plan)) * 2 == plan.pumps


def test_the_causes_of_the_kinds_are_causes():
    """A quiet alarm is judged if its cause is looked for, so a kind's cause must be the contract's."""
    causes = {cause for kind in (*HARMFUL, *OTHERS) for cause in fleets._causes(kind)}
    assert causes <= {str(cause) for cause in Cause}


def test_the_kinds_cause_is_what_the_label_says():
    """The table of causes by kind is the simulator's own."""
    plan = fleets.normal(3, share=0.005).plan
    for index, fault in simulator.assign_faults(plan).items():
        case = simulator.draw_pump(plan, index, plan.names()[index], fault)
        told = {label.cause for label in case.labels if label.cause is not None}
        assert told <= set(fleets._causes(fault.kind))


def test_a_line_cut_short_by_an_interruption_is_scored_again(tmp_path: Path):
    """What was written whole counts once, the rest is dropped from the file so that appending goes on cleanly."""
    file = tmp_path / "scores.jsonl"
    whole = msgspec.json.encode(SCORE) + b"\n"
    file.write_bytes(whole + whole + b'{"pump": "b", "heal')
    assert read_scores(file) == [SCORE]
    assert file.read_bytes() == whole + whole
    assert read_scores(tmp_path / "none.jsonl") == []


def test_what_is_scored_already_is_not_scored_again(tmp_path: Path):
    """A run whose pumps are all there starts no process and takes no time."""
    fleet = fleets.normal(1, share=0.001, days=1.0)
    file = tmp_path / "scores.jsonl"
    scores = [msgspec.structs.replace(SCORE, pump=name) for name in fleet.plan.names()]
    file.write_bytes(b"".join(msgspec.json.encode(score) + b"\n" for score in scores))
    assert list(fleets.score_fleet(fleet, file, processes=1)) == [fleet.plan.pumps]


def test_a_pump_of_a_fleet_scores_the_same_wherever_it_is_scored():
    """Each pump stands for itself: alone, or after another one."""
    plan = fleets.stress(2, share=0.01, days=3.0).plan
    faults = simulator.assign_faults(plan)
    healthy = [index for index in range(plan.pumps) if index not in faults][:2]
    both = score_pumps(plan, [(index, None) for index in healthy])
    assert score_pumps(plan, [(healthy[1], None)]) == both[1:]
