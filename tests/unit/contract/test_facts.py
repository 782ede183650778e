from __future__ import annotations

import json
import random

import numpy as np
import pytest

from contract.codec import decode_fact, encode_fact
from contract.errors import UnusableInputError
from contract.facts import (
    DEFAULT_PRIORITY,
    KERNEL,
    PRIORITY_RANK,
    Alert,
    AlertState,
    Cause,
    Correction,
    Dose,
    EmptyAt,
    Fact,
    FlowRatio,
    Forecast,
    HarmAt,
    Priority,
    Quarantined,
    fact_name,
    fact_sort_key,
)
from contract.times import DAY_US, MAX_US

DOSE = Dose(
    pump="p1",
    at_us=DAY_US,
    from_us=0,
    to_us=DAY_US,
    programmed_ul=100 / 3,
    programmed_ug=None,
    sensed_ul=0.1 + 0.2,
    sensed_ug=None,
    tip_ug=-0.0,
    bolus_ul=0,
    priming_ul=1e-300,
    coverage=1.0,
)
FORECAST = Forecast(
    pump="p1",
    at_us=DAY_US,
    flow_ratio=FlowRatio(mean=1.0, lo=0.855, hi=1.145),
    empty_at=EmptyAt(p05_us=DAY_US, p50_us=2 * DAY_US, p95_us=None),
    device_alarm_at_us=DAY_US + 1,
    dry_before_alarm=0.25,
    refill_due_us=None,
    refill_due_reason="stability",
)
ALERT = Alert(
    pump="p1",
    at_us=DAY_US,
    alert_id="a1",
    cause=Cause.OCCLUSION,
    state=AlertState.ACTIVE,
    priority=Priority.HIGH,
    since_us=DAY_US - 1,
    harm_at=HarmAt(lo_us=2 * DAY_US, hi_us=None),
    text="catheter blocked",
    evidence={"slope_kpa_s": 1 / 3, "at_us": 5, "rows": [1.5, None], "kind": {"b": True, "a": "x"}},
)
QUARANTINED = Quarantined(reason="No.", text="x", line=7)
CORRECTION = Correction(pump="p1", at_us=5, alert_id="a2", replaces="a1")


def test_facts_have_exactly_the_wire_names_of_the_contract():
    """A reader that knows the contract finds every field under its name, times as text."""
    assert json.loads(encode_fact(DOSE)) == {
        "fact": "dose",
        "pump": "p1",
        "at": "1970-01-02T00:00:00.000000Z",
        "kernel": KERNEL,
        "from": "1970-01-01T00:00:00.000000Z",
        "to": "1970-01-02T00:00:00.000000Z",
        "programmed_ul": 33.3333333333,
        "programmed_ug": None,
        "sensed_ul": 0.3,
        "sensed_ug": None,
        "tip_ug": 0,
        "bolus_ul": 0,
        "priming_ul": 1e-300,
        "coverage": 1,
    }
    forecast = json.loads(encode_fact(FORECAST))
    assert forecast["empty_at"] == {
        "p05": "1970-01-02T00:00:00.000000Z",
        "p50": "1970-01-03T00:00:00.000000Z",
        "p95": None,
    }
    assert forecast["device_alarm_at"] == "1970-01-02T00:00:00.000001Z"
    assert set(forecast) == {
        "fact", "pump", "at", "kernel", "flow_ratio", "empty_at", "device_alarm_at", "dry_before_alarm",
        "refill_due", "refill_due_reason",
    }  # fmt: skip
    alert = json.loads(encode_fact(ALERT))
    assert alert["since"] == "1970-01-01T23:59:59.999999Z"
    assert alert["harm_at"] == {"lo": "1970-01-03T00:00:00.000000Z", "hi": None}
    assert alert["evidence"]["at_us"] == 5
    assert (alert["cause"], alert["state"], alert["priority"]) == ("occlusion", "active", "high")
    assert json.loads(encode_fact(QUARANTINED)) == {
        "fact": "quarantined", "pump": None, "at": None, "kernel": KERNEL, "reason": "No.", "line": 7, "text": "x",
    }  # fmt: skip
    assert json.loads(encode_fact(CORRECTION))["withdrawn"] is False


@pytest.mark.parametrize("fact", [DOSE, FORECAST, ALERT, QUARANTINED, CORRECTION], ids=fact_name)
def test_a_written_fact_reads_back_to_the_same_bytes(fact: Fact):
    """Reading and writing again changes no byte, so that stored facts can be compared."""
    written = encode_fact(fact)
    assert b"\n" not in written
    assert type(decode_fact(written)) is type(fact)
    assert encode_fact(decode_fact(written)) == written


def test_floats_have_twelve_digits_and_one_zero():
    """The last bits of a double do not show, -0.0 is 0, and what is not finite is null."""
    written = encode_fact(_alert({"x": [1 / 3, 123456789012345.6, -0.0, 5e-324, float("nan"), float("inf")]}))
    assert b"[0.333333333333,123456789012000,0,5e-324,null,null]" in written
    assert encode_fact(_alert({"x": 0.1 + 0.2})) == encode_fact(_alert({"x": 0.3}))
    assert encode_fact(_alert({"x": 5.0})) == encode_fact(_alert({"x": 5}))
    assert encode_fact(_alert({"x": 1.00000000001})) != encode_fact(_alert({"x": 1.0}))


def _alert(evidence: dict[str, object]) -> Alert:
    return Alert(
        pump="p",
        at_us=1,
        alert_id="i",
        cause=Cause.LEAK,
        state=AlertState.ACTIVE,
        priority=Priority.HIGH,
        since_us=1,
        text="t",
        evidence=evidence,
    )


def test_evidence_may_come_from_numpy_in_any_order():
    """Neither numpy scalars nor the order of insertion change a byte."""
    first = _alert({"a": np.float64(1.5), "b": np.int64(2), "c": np.array([1.0, np.nan]), "d": np.bool_(1)})
    second = _alert({"d": True, "c": [1.0, None], "b": 2, "a": 1.5})
    assert encode_fact(first) == encode_fact(second)
    with pytest.raises(UnusableInputError):
        encode_fact(_alert({"a": object()}))


def test_times_past_the_last_writable_one_stay_writable():
    """A forecast near year 9999 does not stop the writer."""
    late = Correction(pump="p", at_us=MAX_US + 10**15, alert_id="x")
    assert b"9999-12-31T23:59:59.999999Z" in encode_fact(late)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b'{"fact":"dose"}', b'{"fact":"x"}', b'{"fact":[]}', b"\xff"]
)
def test_what_is_no_fact_raises_our_error(line: bytes):
    """A wrong line of facts is named, not a stack trace of some library."""
    with pytest.raises(UnusableInputError, match="not a fact"):
        decode_fact(line)


def test_facts_sort_as_the_contract_says():
    """Quarantined first, then time, pump, kind, cause and id; equal keys keep their order of emission."""

    def alert(at_us: int, pump: str, cause: Cause, alert_id: str) -> Alert:
        return Alert(
            pump=pump,
            at_us=at_us,
            alert_id=alert_id,
            cause=cause,
            state=AlertState.ACTIVE,
            priority=Priority.LOW,
            since_us=0,
            text="",
            evidence={},
        )

    ordered: list[Fact] = [
        Quarantined(reason="a", text=""),
        Quarantined(reason="b", text="", pump="p9", at_us=-5),
        Quarantined(reason="c", text="", pump="p9", at_us=99),
        alert(1, "p2", Cause.LEAK, "z"),
        alert(2, "p1", Cause.LEAK, "a"),
        alert(2, "p1", Cause.LEAK, "b"),
        alert(2, "p1", Cause.OCCLUSION, "a"),
        Dose(**{name: getattr(DOSE, name) for name in DOSE.__struct_fields__} | {"at_us": 2}),
        alert(2, "p2", Cause.AIR_IN_LINE, "a"),
    ]
    shuffled = ordered.copy()
    random.Random(4).shuffle(shuffled)
    assert sorted(shuffled, key=fact_sort_key) == ordered


def test_every_cause_has_a_priority():
    """The table of the contract is whole; a new cause cannot be added without one."""
    assert set(DEFAULT_PRIORITY) == set(Cause)
    assert set(PRIORITY_RANK) == set(Priority)
    by_priority = {
        level: {cause.value for cause, each in DEFAULT_PRIORITY.items() if each is level}
        for level in Priority
    }
    assert by_priority["high"] == {
        "occlusion",
        "leak",
        "reservoir_empty",
        "stall_overdue",
        "restart_overdose",
        "bridge_missing",
        "program_implausible",
        "overdose_risk",
        "withdrawal_risk",
        "battery_eos",
        "safe_state",
    }
    assert by_priority["low"] == {"drive_wear", "battery_eri", "refill_due", "clock_skew", "unclassified"}  # type: ignore[index]
    assert by_priority["info"] == {"tolerance_review"}  # type: ignore[index]
