"""What the roles of tokens may send: devices answer no alert, viewers send nothing, a person's word carries their name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contract import codec
from contract.errors import UnusableInputError
from contract.events import TYPES
from ingest.tokens import ANSWERS, OPERATORS_TYPES, make_token
from tests.unit.contract.samples import PAYLOADS, fields
from tests.unit.ingest.gateway_double import Double, gateway, statuses

EVERY_TYPE = sorted(PAYLOADS)


async def taken(double: Double, secret: str) -> set[str]:
    """Return the types that are accepted from a token, each sent in a body of its own."""
    accepted = set()
    for name in EVERY_TYPE:
        answer = await double.post_as(secret, fields(name, id=f"id-{name}", actor=...))
        accepted |= {name} if answer.status_code == 202 and statuses(answer) == ["accepted"] else set()
    return accepted


@pytest.mark.parametrize(
    ("scope", "may_send"),
    [
        ({}, set(EVERY_TYPE) - ANSWERS),
        ({"pumps": ["pump-0001"]}, set(EVERY_TYPE) - ANSWERS),
        ({"types": ["alert_ack"]}, {"alert_ack"}),
        ({"replay": True}, set(EVERY_TYPE)),
        ({"replay": True, "types": ["telemetry"]}, {"telemetry"}),
        ({"role": "viewer"}, set()),
        ({"role": "operator"}, OPERATORS_TYPES),
        ({"role": "operator", "types": ["note"]}, {"note"}),
        ({"role": "admin"}, OPERATORS_TYPES),
        ({"role": "admin", "types": ["alert_ack", "note"]}, {"alert_ack", "note"}),
        ({"role": "operator", "pumps": ["another"]}, set()),
    ],
)  # fmt: skip
async def test_each_role_sends_its_types_and_no_others(scope: dict[str, Any], may_send: set[str]):
    """Every type of the contract, under every role: a relay can't silence what it caused, a person sends no telemetry."""
    assert set(EVERY_TYPE) == set(TYPES) - {"tick"}, "a new type belongs into this table"
    async with gateway() as double:
        assert await taken(double, double.add_token(**scope)) == may_send
        assert {record.type for record in double.log.records} == may_send


async def test_a_refused_answer_says_whose_token_may():
    """The two refusals that a person meets first are not "scope" but what to do."""
    async with gateway() as double:
        relay = await double.post_as(double.secret, fields("alert_ack"))
        assert relay.status_code == 403
        assert "--role operator" in relay.json()["results"][0]["reason"]
        viewer = await double.post_as(double.add_token(role="viewer"), fields("alert_ack"))
        assert viewer.status_code == 403
        assert "viewer" in viewer.json()["detail"]


async def test_an_answer_cannot_pass_as_something_else():
    """Broken, as MessagePack, in a list with what may be sent: an ack of a relay's token is never in the log."""
    ack = fields("alert_ack")
    wire = msgspec.msgpack.encode(ack)
    async with gateway() as double:
        for events in (
            [ack],
            [fields("resumed"), ack],
            [fields("alert_ack", v=...)],
            [fields("alert_ack", alert_id=7)],
        ):
            await double.post_as(double.secret, *events)
        for media in ("application/msgpack", "application/json", "application/x-ndjson"):
            assert (await double.post(wire, media)).status_code == 403
        assert [record.type for record in double.log.records] == ["resumed"]


@pytest.mark.parametrize("role", ["operator", "admin"])
@pytest.mark.parametrize("form", ["json", "msgpack"])
async def test_the_gateway_writes_whose_word_it_is(role: str, form: str):
    """The label of the token is the actor of everything a person sends, whether or not they said so themselves."""
    async with gateway() as double:
        secret = double.add_token(role=role)  # the double's label is `test`
        for name in sorted(OPERATORS_TYPES):
            for stated in (..., "test", None):
                event = fields(name, id=f"{name}-{stated}", actor=stated)
                media = "application/json" if form == "json" else "application/msgpack"
                body = msgspec.json.encode(event) if form == "json" else msgspec.msgpack.encode(event)
                answer = await double.post(body, media, authorization=f"Bearer {secret}")
                assert statuses(answer) == ["accepted"], answer.text
        for record in double.log.records:
            assert msgspec.msgpack.decode(record.wire)["actor"] == "test"
            kept = codec.decode_msgpack(record.wire)
            assert kept.id == record.id
            assert getattr(kept, "actor", "test") == "test"


async def test_nobody_speaks_in_anothers_name():
    """Another actor is refused, event by event, and the rest of the body is taken."""
    async with gateway() as double:
        nurse = double.add_token(role="operator")
        answer = await double.post_as(
            nurse,
            fields("alert_ack", id="1", actor="doctor-2"),
            fields("alert_ack", id="2", actor=...),
            fields("note", id="3", actor=["test"]),
        )
        assert statuses(answer) == ["refused", "accepted", "refused"]
        assert "label" in answer.json()["results"][0]["reason"]
        assert [record.id for record in double.log.records] == ["2"]


async def test_a_program_made_for_it_states_the_actor_itself():
    """A hospital's own alarm system passes on who acknowledged there."""
    async with gateway() as double:
        system = double.add_token(types=["alert_ack"])
        await double.post_as(system, fields("alert_ack", actor="nurse-7"))
        assert msgspec.msgpack.decode(double.log.records[0].wire)["actor"] == "nurse-7"


async def test_a_person_is_told_what_is_wrong_with_an_event():
    """What a program sends broken is kept in the quarantine; a person's typing is refused with its reason."""
    async with gateway() as double:
        nurse = double.add_token(role="operator")
        answer = await double.post_as(
            nurse, fields("alert_ack", at=...), fields("alert_shelved", until="soon")
        )
        assert (answer.status_code, statuses(answer)) == (403, ["refused", "refused"])
        assert [result["reason"] for result in answer.json()["results"]] == [
            "Field at of this alert_ack is missing.",
            'Field until is not a time such as 2026-01-31T08:00:00.000000Z; it is "soon".',
        ]
        assert double.log.records == []


async def test_a_person_of_one_site_answers_for_its_pumps_only():
    """Also while nothing is known of the pump, and whatever the alert's id is."""
    async with gateway() as double:
        double.sites = {"mine": "ward-b", "theirs": "ward-a"}
        nurse = double.add_token(role="operator", sites=["ward-b"])
        answer = await double.post_as(
            nurse, *(fields("alert_ack", pump=pump, actor=...) for pump in ("mine", "theirs", "nobodys"))
        )
        assert statuses(answer) == ["accepted", "refused", "refused"]
        assert [record.pump for record in double.log.records] == ["mine"]


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({"role": "viewer", "types": ["note"]}, "note"),
        ({"role": "operator", "types": ["telemetry"]}, "alert_ack"),
        ({"role": "operator", "replay": True}, "replay"),
        ({"role": "viewer", "replay": True}, "replay"),
    ],
)
def test_a_token_that_contradicts_its_role_is_not_made(scope: dict[str, Any], message: str):
    """A scope that would be empty, or a person who chooses when something was received."""
    with pytest.raises(UnusableInputError, match=message):
        make_token("nurse-1", 0, **scope)


@pytest.mark.parametrize("label", ["", " nurse", "a\nb", "x" * 101, "\udc80"])
def test_a_label_can_stand_in_a_line_of_the_audit(label: str):
    """It becomes the actor of events and a column of lists."""
    with pytest.raises(UnusableInputError, match="label"):
        make_token(label, 0)
