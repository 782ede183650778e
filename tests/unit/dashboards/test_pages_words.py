"""Times, numbers, evidence and events in words."""

from __future__ import annotations

import math

import pytest

from contract.codec import decode_json
from contract.events import Assessment
from contract.facts import Quarantined
from contract.times import DAY_US, HOUR_US, MINUTE_US
from dashboards.console.pages import words
from dashboards.console.pages.event_words import TYPE_WORDS, sentence
from dashboards.console.pages.evidence import Said, in_words, split_unit

NOW_US = 1_780_000_000_000_000  # 2026-05-28T20:26:40Z


@pytest.mark.parametrize(
    ("lo_us", "hi_us", "told"),
    [
        (3 * HOUR_US, 9 * HOUR_US, "in 3 h to 9 h"),
        (3 * HOUR_US, 3 * HOUR_US + MINUTE_US, "in 3 h"),
        (-HOUR_US, 5 * HOUR_US, "now, at the latest in 5 h"),
        (-9 * DAY_US, -3 * DAY_US, "9 d to 3 d ago"),
        (40 * MINUTE_US, None, "in 40 min or later"),
        (-2 * DAY_US, None, "since 2 d"),
    ],
)
def test_an_interval_says_when_both_ends_are(lo_us: int, hi_us: int | None, told: str):
    """Before it, within it and after it."""
    assert words.interval(NOW_US + lo_us, None if hi_us is None else NOW_US + hi_us, NOW_US) == told


def test_an_interval_that_is_not_defined_is_empty():
    """So that a template can say that there is none; one end alone is said as one."""
    assert words.interval(None, None, NOW_US) == ""
    assert words.interval(None, NOW_US + DAY_US, NOW_US) == "within 24 h"
    assert words.interval(None, NOW_US - DAY_US, NOW_US) == "until 24 h ago"


@pytest.mark.parametrize(
    ("span_us", "told"),
    [
        (45_000_000, "45 s"),
        (99 * MINUTE_US, "99 min"),
        (100 * MINUTE_US, "1 h"),
        (47 * HOUR_US, "47 h"),
        (48 * HOUR_US, "2 d"),
        (729 * DAY_US, "729 d"),
        (731 * DAY_US, "2 y"),
        (-HOUR_US, "60 min"),
    ],
)
def test_a_duration_is_cut_never_rounded_up(span_us: int, told: str):
    """Whoever reads "in 7 h" has at least 7 hours."""
    assert words.duration(span_us) == told


def test_a_time_has_its_zone_and_its_distance():
    """Absolute with UTC, relative beside it."""
    assert words.absolute(NOW_US) == "28 May 2026 20:26 UTC"
    assert words.relative(NOW_US + 90 * MINUTE_US, NOW_US) == "in 90 min"
    assert words.relative(NOW_US - 3 * DAY_US, NOW_US) == "3 d ago"
    assert words.relative(NOW_US + 30_000_000, NOW_US) == "now"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0"),
        (1.14230307624, "1.14"),
        (1234567.0, "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"),
        (-6.1e-10, "0"),
        (-0.5, "\N{MINUS SIGN}0.5"),
        (100.0, "100"),
        (math.nan, "not known"),
        (math.inf, "not known"),
        (None, "not known"),
    ],
)
def test_a_number_has_the_digits_that_matter(value: float | None, told: str):
    """No exponent, no trailing zeros, no nan."""
    assert words.number(value) == told


def test_a_share_never_says_certain_or_impossible_by_rounding():
    """0.99999 is more than 99.9 %, not 100 %."""
    assert [words.percent(share) for share in (0.0, 0.00001, 0.5, 0.99999, 1.0)] == [
        "0 %",
        "< 0.1 %",
        "50 %",
        "> 99.9 %",
        "100 %",
    ]


def test_a_ratio_is_said_as_a_difference():
    """1.145 delivers +14.5 %."""
    assert words.deviation(1.145) == "+14.5 %"
    assert words.deviation(0.855) == "\N{MINUS SIGN}14.5 %"
    assert words.deviation(1.0001) == "\N{PLUS-MINUS SIGN}0.0 %"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("baseline_kpa", ("baseline", "kPa")),
        ("slope_kpa_h", ("slope", "kPa/h")),
        ("highest_ul_h", ("highest", "µL/h")),
        ("compliance_ul_per_kpa", ("compliance", "µL/kPa")),
        ("score", ("score", "")),
    ],
)
def test_a_unit_is_the_end_of_a_name(name: str, told: tuple[str, str]):
    """The longest ending wins: kPa/h is no hour."""
    assert split_unit(name) == told


def test_evidence_is_read_whatever_it_holds():
    """Intervals on one line, times as times, names as words, units from the names; nothing is left out."""
    told = in_words(
        {
            "flow_ratio": 1.143,
            "flow_ratio_lo": 1.125,
            "flow_ratio_hi": 1.16,
            "onset_us": NOW_US - 2 * HOUR_US,
            "slope_kpa_h": 0.25,
            "by_stability": False,
            "channels": ["pressure_kpa", "flow_ul_h"],
            "probability": 0.9863,
            "unknown": None,
            "nested": {"volume_ul": 12.5},
        },
        NOW_US,
    )
    assert told == [
        Said("Delivered / programmed", "1.143 (1.125 to 1.16)"),
        Said("Estimated onset", "28 May 2026 18:26 UTC (2 h ago)", "2026-05-28T18:26:40.000000Z"),
        Said("Slope", "0.25 kPa/h"),
        Said("By the drug's stability", "no"),
        Said("Channels", "pressure kpa, flow ul h"),
        Said("Probability", "98.6 %"),
        Said("Unknown", "not known"),
        Said("Nested: Volume", "12.5 µL"),
    ]


def test_a_bound_without_its_value_is_said_by_itself():
    """`harm_lo` with no `harm` beside it is not swallowed."""
    assert in_words({"harm_lo": 3.0}, NOW_US) == [Said("Harm lo", "3")]


EVENTS = {
    "reservoir_filled": (
        '"removed_ml":null,"filled_ml":20,"concentration_ug_ml":500,"drug":"baclofen"',
        "an unknown volume drawn out, 20 mL filled in: baclofen 500 µg/mL",
    ),
    "program_set": (
        '"mode":"flex","steps":[{"minute":0,"rate_ul_h":5},{"minute":480,"rate_ul_h":7.5,"days":[0,6]}]',
        "flex: 5 µL/h from 00:00; 7.5 µL/h from 08:00 on Mon, Sun",
    ),
    "bolus": ('"kind":"test","programmed_ul":100,"dose_ug":50', "test, 100 µL by lumbar, 50 µg"),
    "device_alarm": ('"code":"low_reservoir","text":""', "low reservoir"),
    "volume_reported": (
        '"ledger":"reservoir","value_ul":1800,"from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z"',
        "1\N{NARROW NO-BREAK SPACE}800 µL in the reservoir",
    ),
    "note": (
        '"kind":"mri_window","from":"2026-01-01T08:00:00Z","to":"2026-01-01T09:00:00Z","text":"knee"',
        "mri window from 1 Jan 2026 08:00 UTC to 1 Jan 2026 09:00 UTC: knee",
    ),
    "assessment": ('"scale":"ashworth","score":2,"site":"left knee"', "Ashworth 2 (left knee)"),
    "alert_ack": ('"alert_id":"x","actor":"ward b","reason":"seen"', "by ward b: seen"),
    "alert_shelved": (
        '"cause":"refill_due","actor":"ward b","until":"2026-01-02T08:00:00Z"',
        "until 2 Jan 2026 08:00 UTC, refill due by ward b",
    ),
    "suspended": ('"reason":"surgery"', "surgery"),
    "resumed": ("", ""),
    "pump_explanted": ('"reason":"infection"', "infection"),
    "pump_registered": (
        (
            '"model":"m","reservoir_ml":20,"low_reservoir_ml":2,"dead_volume_ul":300,"min_rate_ul_h":2,'
            '"max_rate_ul_h":1000,"flow_tolerance":0.145,"high_risk":true'
        ),
        "m, 20 mL, own alarm at 2 mL, tolerance ±14.5 %, high-risk patient",
    ),
}


@pytest.mark.parametrize("kind", sorted(TYPE_WORDS))
def test_every_event_has_its_sentence(kind: str):
    """Each type that people see, with its units."""
    fields, told = EVENTS[kind]
    head = f'{{"type":"{kind}","v":1,"id":"e","pump":"p","source":"clinic","at":"2026-01-01T00:00:00Z"'
    event = decode_json(f"{head}{',' if fields else ''}{fields}}}".encode())
    assert not isinstance(event, Quarantined), event.reason
    assert sentence(event) == told


def test_a_score_of_zero_is_a_score():
    """0 is a value, never missing."""
    scored = Assessment(id="a", pump="p", source="clinic", at_us=NOW_US, scale="penn", score=0.0)
    assert sentence(scored) == "Penn 0"
