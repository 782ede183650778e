"""The words for causes are whole, short enough for a phone, and no orders."""

import pytest

from contract.facts import Cause
from dashboards.causes import CAUSES, CauseText

TITLE_LIMIT = 60  # a pump's name and a title fit one line of a lock screen
SENTENCE_LIMIT = 140
TEXTS = [pytest.param(text, id=str(text.cause)) for text in CAUSES.values()]
ORDERS = ("stop ", "give ", "set ", "reduce ", "increase ", "call ", "check ", "inject ", "refill ")


def test_every_cause_has_its_words_in_the_order_of_the_contract():
    """A cause that is added to the contract cannot be paged without words."""
    assert list(CAUSES) == list(Cause)


@pytest.mark.parametrize("text", TEXTS)
def test_title_and_checks_are_short_sentences(text: CauseText):
    """What is read at night on a phone fits its lines."""
    assert len(text.title) <= TITLE_LIMIT
    assert text.title[0].islower()
    assert not text.title.endswith(".")
    assert text.effect.endswith(".")
    assert 2 <= len(text.first_checks) <= 4
    for sentence in text.first_checks:
        assert sentence[-1] in ".?"
        assert len(sentence) <= SENTENCE_LIMIT


@pytest.mark.parametrize("text", TEXTS)
def test_checks_inform_and_never_order(text: CauseText):
    """Software tells what to look at; what is done is the staff's."""
    assert not [sentence for sentence in text.first_checks if sentence.lower().startswith(ORDERS)]


def test_the_name_of_an_alert_is_its_runbook_heading():
    """`dry_before_alarm` is the rule DryBeforeAlarm and the anchor that headings get."""
    text = CAUSES[Cause.DRY_BEFORE_ALARM]
    assert text.alert_name == "DryBeforeAlarm"
    assert text.runbook == "dashboards/runbooks/pumps.md#drybeforealarm"
