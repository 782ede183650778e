"""POST /v1/events and the pages, through the whole application over a log in memory."""

from __future__ import annotations

import gzip
import json
import logging

import msgspec
import pytest

from contract import codec
from contract.errors import UnreachableError
from contract.events import Tick
from ingest.gateway import GatewayLimits
from ingest.problems import PROBLEM_JSON
from ingest.producer import QueueFullError
from tests.unit.contract.samples import PAYLOADS, fields, line
from tests.unit.ingest.gateway_double import NOW, NOW_US, gateway, statuses

ALL_TYPES = sorted(PAYLOADS)


def received(wire: bytes) -> str | None:
    return msgspec.msgpack.decode(wire)["received"]


@pytest.mark.parametrize("form", ["ndjson", "array", "msgpack array", "msgpack stream", "gzip"])
async def test_every_type_in_every_form_of_body_is_in_the_log_once_and_stamped(form: str):
    """Whatever the form, each event is one record under its pump's key, with the gateway's time."""
    lines = [line(name, id=f"id-{name}") for name in ALL_TYPES]
    wires = [codec.json_to_wire(text)[1] for text in lines]
    bodies = {
        "ndjson": (b"\n".join(lines), "application/x-ndjson", {}),
        "array": (b"[" + b",".join(lines) + b"]", "application/json; charset=utf-8", {}),
        "msgpack array": (bytes([0x90 + len(wires)]) + b"".join(wires), "application/msgpack", {}),
        "msgpack stream": (b"".join(wires), "application/x-msgpack", {}),
        "gzip": (gzip.compress(b"\r\n\n".join(lines)), "application/x-ndjson", {"content_encoding": "gzip"}),
    }
    body, media, headers = bodies[form]
    async with gateway() as double:
        of_every_type = double.add_token(types=ALL_TYPES)
        answer = await double.post(body, media, authorization=f"Bearer {of_every_type}", **headers)
        assert answer.status_code == 202
        told = answer.json()
        assert told["accepted"] == len(lines)
        assert told["received"] == NOW
        assert [result["id"] for result in told["results"]] == [f"id-{name}" for name in ALL_TYPES]
        assert [result["offset"] for result in told["results"]] == list(range(len(lines)))
        for record, text in zip(double.log.records, lines, strict=True):
            assert record.key == b"pump-0001"
            assert received(record.wire) == NOW
            sent, kept = codec.decode_json(text), codec.decode_msgpack(record.wire)
            assert codec.digest(sent, text) == codec.digest(kept, record.wire)


async def test_one_event_alone_may_be_plain_json_or_messagepack():
    """A small device sends one object, not a list of one."""
    async with gateway() as double:
        one = await double.post(line("suspended"), "application/json")
        two = await double.post(codec.json_to_wire(line("resumed"))[1], "application/msgpack")
        assert statuses(one) == statuses(two) == ["accepted"]
        assert [record.type for record in double.log.records] == ["suspended", "resumed"]


async def test_only_a_token_that_may_replay_keeps_received():
    """Others cannot choose when their events count as received; what a replay leaves out is stamped."""
    stated = "2026-01-31T09:00:00.000000Z"
    lines = [line("resumed", received=stated), line("resumed")]
    async with gateway() as double:
        replaying = double.add_token(replay=True)
        for media, body in (
            ("application/x-ndjson", b"\n".join(lines)),
            ("application/msgpack", b"".join(codec.json_to_wire(text)[1] for text in lines)),
        ):
            await double.post(body, media)
            await double.post(body, media, authorization=f"Bearer {replaying}")
        stamps = [received(record.wire) for record in double.log.records]
        assert stamps == [NOW, NOW, stated, NOW] * 2


async def test_what_cannot_be_decoded_goes_to_the_log_as_it_came():
    """A broken line costs no other, keeps its bytes, and its pump's key where that can be read."""
    broken = [b'{"type":"bolus","pump":"pump-0009","id":"x"}', b"no json at all", b'{"type":"of_2031","v":1}']
    async with gateway() as double:
        answer = await double.post(b"\n".join([broken[0], line("resumed"), *broken[1:]]))
        assert answer.status_code == 202
        assert statuses(answer) == ["quarantined", "accepted", "quarantined", "quarantined"]
        assert answer.json()["results"][0]["id"] == "x"
        reasons = [result["reason"] for result in answer.json()["results"] if "reason" in result]
        assert "Field v of this bolus is missing." in reasons
        assert all("MessagePack" not in reason for reason in reasons)
        written = [record.wire for record in double.log.records]
        assert [written[0], *written[2:]] == broken
        assert double.log.records[0].key == b"pump-0009"
        assert len({record.key for record in double.log.records}) == 4


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"[{", "application/json"),
        (b'[{"a":NaN}]', "application/json"),
        (b"[]", "application/json"),
        (b"", "application/json"),
        (b" \n\n", "application/x-ndjson"),
        (b"\x92\xc0", "application/msgpack"),
        (b"\x91\xc0\xc0", "application/msgpack"),
        (b"\x82\xa1a", "application/msgpack"),
        (b"\xc1", "application/msgpack"),
    ],
)
async def test_a_body_that_is_no_sequence_of_events_is_400(body: bytes, media: str):
    """Nothing of it is written, and the problem says how to send it."""
    async with gateway() as double:
        answer = await double.post(body, media)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == PROBLEM_JSON
        assert answer.json()["detail"]
        assert double.log.records == []


async def test_a_broken_gzip_body_is_400():
    """Half a gzip stream, or none at all, is not taken for its first half."""
    whole = gzip.compress(line("resumed"))
    async with gateway() as double:
        for body in (whole[:-4], b"plain", b"", whole + b"rest"):
            assert (await double.post(body, content_encoding="gzip")).status_code == 400
        assert (await double.post(whole + whole, content_encoding="gzip")).status_code == 202


async def test_sizes_are_bounded_before_and_after_decompression():
    """A body, what it decompresses to, and its number of events all have a limit that answers 413."""
    limits = GatewayLimits(body_bytes=20_000, body_events=10)
    bomb = gzip.compress(b"\n" * 30_000_000)
    assert len(bomb) < 40_000
    async with gateway(limits) as double:
        for body, headers in (
            (b"x" * 20_001, {}),
            (bomb, {"content_encoding": "gzip"}),
            (bomb[:19_000], {"content_encoding": "gzip"}),
            (gzip.compress(b"") * 1001, {"content_encoding": "gzip"}),
            (b"1\n" * 11, {}),
        ):
            answer = await double.post(body, **headers)
            assert answer.status_code == 413, body[:20]
            assert answer.headers["content-type"] == PROBLEM_JSON
        assert (await double.post(b"[" + b"1," * 10 + b"1]", "application/json")).status_code == 413
        assert (await double.post(b"\xc0" * 11, "application/msgpack")).status_code == 413
        assert double.gateway._room.bytes_held == 0


async def test_one_event_too_large_for_the_log_is_refused_alone():
    """The others of its body are taken; alone it is 413."""
    large = line("note", text="x" * 1_000_001)
    async with gateway() as double:
        both = await double.post(b"\n".join([large, line("resumed")]))
        assert (both.status_code, statuses(both)) == (202, ["refused", "accepted"])
        alone = await double.post(large)
        assert (alone.status_code, statuses(alone)) == (413, ["refused"])


@pytest.mark.parametrize("media", [None, "text/plain", "application/xml"])
async def test_other_media_types_are_415(media: str | None):
    """The answer names those that are taken."""
    async with gateway() as double:
        answer = await double.post(line("resumed"), media or "")
        assert answer.status_code == 415
        assert "application/x-ndjson" in answer.json()["detail"]
        assert (await double.post(b"", content_encoding="br")).status_code == 415


async def test_tokens_are_asked_for():
    """No token, another scheme, an unknown and a revoked one are 401 with the challenge."""
    async with gateway() as double:
        for header in ("", "Basic eDp5", "Bearer ", "Bearer nobody", f"bearer {double.secret}x"):
            answer = await double.post(line("resumed"), authorization=header)
            assert answer.status_code == 401, header
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await double.post(line("resumed"))).status_code == 202
        double.revoke_all()
        await double.tokens.refresh()
        assert (await double.post(line("resumed"))).status_code == 401
        assert len(double.log.records) == 1


async def test_a_new_token_holds_at_once_and_unknown_ones_do_not_ask_the_database_each_time():
    """The list is read again for the first request of an unknown token, not for the next ones."""
    async with gateway() as double:
        await double.tokens.refresh()
        fresh = double.add_token()
        assert (await double.post_as(fresh, fields("resumed"))).status_code == 202
        loads = double.loads
        for _ in range(20):
            assert (await double.post_as("nobody", fields("resumed"))).status_code == 401
        assert double.loads == loads + 1


async def test_without_the_database_known_tokens_hold_and_others_are_put_off():
    """The list in hand stays in force; whether another token is good, nobody can say now."""
    async with gateway() as double:
        await double.tokens.refresh()
        double.away = UnreachableError("away")
        assert (await double.post(line("resumed"))).status_code == 202
        answer = await double.post_as("other", fields("resumed"))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1


async def test_nothing_outside_the_scope_is_written():
    """Pumps and types: what is refused is named, the rest of the body is taken, and all refused is 403."""
    async with gateway() as double:
        relay = double.add_token(pumps=["pump-1", "pump-2"], types=["telemetry", "device_alarm"])
        answer = await double.post_as(
            relay,
            fields("telemetry", pump="pump-1"),
            fields("program_set", pump="pump-1"),
            fields("telemetry", pump="pump-3"),
            fields("device_alarm", pump="pump-2"),
        )
        assert answer.status_code == 202
        assert statuses(answer) == ["accepted", "refused", "refused", "accepted"]
        refused = await double.post_as(
            relay, fields("alert_ack", pump="pump-1"), fields("telemetry", pump="P")
        )
        assert (refused.status_code, statuses(refused)) == (403, ["refused", "refused"])
        assert [record.pump for record in double.log.records] == ["pump-1", "pump-2"]


async def test_what_cannot_be_decoded_is_held_to_the_scope_as_far_as_it_can_be_read():
    """A later version could understand it, so neither its pump nor its type may be outside the scope."""
    async with gateway() as double:
        relay = double.add_token(pumps=["pump-1"], types=["telemetry"])
        answer = await double.post_as(
            relay,
            {"type": "telemetry", "pump": "pump-1"},
            {"type": "telemetry", "pump": "pump-9"},
            {"type": "future_type", "v": 1, "pump": "pump-1"},
            {"type": "telemetry"},
        )
        assert statuses(answer) == ["quarantined", "refused", "refused", "quarantined"]


async def test_messagepack_declared_as_json_passes_for_nothing():
    """Else an event, or a tick, would get past the scope as unreadable text and be an event again in the log."""
    hidden = codec.json_to_wire(line("program_set", pump="pump-9", id="i"))[1]
    assert b"\n" not in hidden
    async with gateway() as double:
        relay = double.add_token(pumps=["pump-1"], types=["telemetry"])
        for body in (hidden, codec.encode_wire(Tick(at_us=NOW_US))):
            for media in ("application/x-ndjson", "application/json"):
                for secret in (relay, double.secret):
                    answer = await double.post(body, media, authorization=f"Bearer {secret}")
                    assert answer.status_code == 403
        assert double.log.records == []


async def test_ticks_of_clients_are_refused():
    """Only the gateway says what time it is, in either form and however broken."""
    ticks = [b'{"type":"tick","at":"2026-01-31T08:00:00Z"}', b'{"type":"tick"}']
    async with gateway() as double:
        assert statuses(await double.post(b"\n".join(ticks))) == ["refused", "refused"]
        wire = codec.encode_wire(Tick(at_us=NOW_US))
        assert statuses(await double.post(wire, "application/msgpack")) == ["refused"]
        assert double.log.records == []


async def test_a_site_speaks_for_the_pumps_registered_there():
    """By the database, by a registration before in the same body, and by one already taken; nobody else's pump."""
    async with gateway() as double:
        ward = double.add_token(sites=["ward-b"], pumps=["own"])
        double.sites = {"mine": "ward-b", "theirs": "ward-a"}
        answer = await double.post_as(
            ward,
            fields("resumed", pump="mine"),
            fields("resumed", pump="theirs"),
            fields("resumed", pump="new"),
            fields("pump_registered", pump="new", site="ward-b"),
            fields("resumed", pump="new"),
            fields("resumed", pump="own"),
            fields("pump_registered", pump="theirs", site="ward-b"),
            fields("pump_registered", pump="newer", site="ward-a"),
            fields("pump_registered", pump="newest", site=...),
        )
        taken = ["accepted", "refused", "refused", "accepted", "accepted", "accepted", *["refused"] * 3]
        assert statuses(answer) == taken
        later = await double.post_as(ward, fields("resumed", pump="new"))
        assert statuses(later) == ["accepted"]
        double.away = UnreachableError("away")
        assert (await double.post_as(ward, fields("resumed", pump="unseen"))).status_code == 503


async def test_a_registration_that_was_not_written_gives_no_right():
    """After a 503 the pump is as unknown as before."""
    async with gateway() as double:
        ward = double.add_token(sites=["ward-b"])
        double.log.fails = UnreachableError("away")
        registration = fields("pump_registered", pump="new", site="ward-b")
        assert (await double.post_as(ward, registration)).status_code == 503
        double.log.fails = None
        assert (await double.post_as(ward, fields("resumed", pump="new"))).status_code == 403


@pytest.mark.parametrize("error", [UnreachableError("gone"), QueueFullError("full")])
async def test_a_log_that_does_not_acknowledge_is_503_with_retry_after(error: UnreachableError):
    """The client learns when to send the same events again."""
    async with gateway() as double:
        double.log.fails = error
        answer = await double.post(line("resumed"))
        assert answer.status_code == 503
        assert answer.headers["content-type"] == PROBLEM_JSON
        assert int(answer.headers["retry-after"]) >= 1
        double.log.fails = None
        assert (await double.post(line("resumed"))).status_code == 202


async def test_a_token_has_its_rate():
    """Above it comes 429 with Retry-After, for that token alone; a large body is paid for afterwards."""
    async with gateway(rate=1.0) as double:
        assert (await double.post(b"\n".join([line("resumed")] * 60))).status_code == 202
        answer = await double.post(line("resumed"))
        assert answer.status_code == 429
        assert 50 <= int(answer.headers["retry-after"]) <= 60
        assert (await double.post_as(double.add_token(), fields("resumed"))).status_code == 202


async def test_posts_and_bodies_in_hand_are_bounded():
    """Past either limit comes 503, and the room is given back."""
    async with gateway(GatewayLimits(posts=0)) as double:
        assert (await double.post(line("resumed"))).status_code == 503
    async with gateway(GatewayLimits(body_bytes=1000, bodies_bytes=1000)) as double:
        double.gateway._room.bytes_held = 900
        assert (await double.post(line("resumed"))).status_code == 503
        assert double.gateway._room.bytes_held == 900
        assert double.gateway._room.posts_held == 0


async def test_pages_tell_how_it_is():
    """Health is of the process, readiness of broker and tokens, and metrics count what was answered."""
    async with gateway() as double:
        assert (await double.client.get("/healthz")).status_code == 200
        before = await double.client.get("/readyz")
        assert (before.status_code, before.json()["tokens"]) == (503, False)
        await double.post(b"\n".join([line("resumed"), b"broken"]))
        await double.post(line("resumed"), authorization="Bearer no")
        assert (await double.client.get("/readyz")).status_code == 200
        double.log.connected = False
        assert (await double.client.get("/readyz")).status_code == 503
        text = (await double.client.get("/metrics")).text
        for sample in (
            'thecaflow_gateway_requests_total{status="202"} 1.0',
            'thecaflow_gateway_events_total{result="quarantined"} 1.0',
            'thecaflow_gateway_problems_total{kind="token"} 1.0',
            "thecaflow_gateway_connected 0.0",
            "thecaflow_gateway_clock_seconds 1.8e+09",
        ):
            assert sample in text
        assert "pump-0001" not in text


async def test_openapi_describes_what_is_taken_and_answered():
    """The document names the media types, every status and the bearer token."""
    async with gateway() as double:
        for path in ("/schema", "/schema/openapi.json"):
            answer = await double.client.get(path)
            assert answer.status_code == 200
        post = answer.json()["paths"]["/v1/events"]["post"]
        assert set(post["requestBody"]["content"]) == {
            "application/json", "application/x-ndjson", "application/msgpack",
        }  # fmt: skip
        assert {"202", "400", "401", "403", "413", "415", "429", "503"} <= set(post["responses"])
        assert post["security"] == [{"bearer": []}]


async def test_other_paths_and_methods_are_problems_too():
    """404 and 405 have the same form as the rest."""
    async with gateway() as double:
        for answer, status in (
            (await double.client.get("/nowhere"), 404),
            (await double.client.get("/v1/events"), 405),
        ):
            assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_JSON)


async def test_a_surprise_is_500_and_its_text_stays_out_of_the_log(caplog: pytest.LogCaptureFixture):
    """What a client wrote may be in an exception's message, so only type and place are logged."""
    async with gateway() as double:

        async def explode(_records: object) -> None:
            raise ValueError("Mrs Miller, ward 3")

        double.log.write = explode
        with caplog.at_level(logging.DEBUG):
            answer = await double.post(line("note", text="Mrs Miller, ward 3"))
        assert answer.status_code == 500
        assert answer.headers["content-type"] == PROBLEM_JSON
        assert "Miller" not in answer.text + caplog.text
        assert "ValueError at test_gateway.py" in caplog.text


async def test_unknown_fields_are_kept():
    """A later contract's fields are in the log although this version does not know them."""
    async with gateway() as double:
        await double.post(line("resumed", later={"a": [1, None]}))
        assert msgspec.msgpack.decode(double.log.records[0].wire)["later"] == {"a": [1, None]}


async def test_results_are_in_the_order_of_the_body():
    """The n-th result is about the n-th event, whatever became of it."""
    kinds = [line("resumed", id="a"), b"{}", b'{"type":"tick"}', line("resumed", id="d")]
    async with gateway() as double:
        answer = await double.post(b"\n".join(kinds * 300))
        results = json.loads(answer.content)["results"]
        assert len(results) == 1200
        assert [result["status"] for result in results[-4:]] == [
            "accepted", "quarantined", "refused", "accepted",
        ]  # fmt: skip
        assert [result["id"] for result in results[:4]] == ["a", None, None, "d"]
