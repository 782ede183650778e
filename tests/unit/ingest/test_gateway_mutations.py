"""Damaged events through the whole gateway: never a 5xx, and each one accounted for."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections import Counter

import httpx

from contract import codec
from contract.events import Tick
from contract.facts import Quarantined
from ingest.bodies import Media
from ingest.tokens import PREFIX
from tests.property.test_codec import mutated
from tests.unit.contract.samples import PAYLOADS, fields
from tests.unit.ingest.gateway_double import Double, gateway

MUTATIONS = int(os.environ.get("THECAFLOW_MUTATIONS", "5000"))
SEED = int(os.environ.get("THECAFLOW_MUTATION_SEED", "20260131"))
BODY = 20
LINES = [json.dumps(fields(name, seq=1, extra={"a": [1, None]})).encode() for name in PAYLOADS]
RECORDS = [codec.json_to_wire(line)[1] for line in LINES] + [codec.encode_wire(Tick(at_us=5))]


def body_of(media: Media, rng: random.Random) -> tuple[bytes, int]:
    """A body of damaged events, and how many were put in."""
    if media is Media.NDJSON:
        return b"\n".join(mutated(rng.choice(LINES), rng) for _ in range(BODY)), BODY
    if media is Media.MSGPACK:
        pieces = [rng.choice(RECORDS) for _ in range(BODY)]
        pieces[rng.randrange(BODY)] = mutated(rng.choice(RECORDS), rng)
        return b"".join(pieces), BODY
    if rng.random() < 0.5:
        return mutated(rng.choice(LINES), rng), 1
    return b"[" + b",".join([*rng.choices(LINES, k=BODY - 1), mutated(rng.choice(LINES), rng)]) + b"]", BODY


def check(double: Double, answer: httpx.Response, body: bytes, media: Media) -> Counter[str]:
    """Every piece of the body has a result, and the log has exactly what is not refused, in a form it can read."""
    assert answer.status_code in (202, 400, 403), (answer.status_code, body)
    written, double.log.records = double.log.records, []
    if answer.status_code == 400:
        assert not written
        return Counter(unsplittable=1)
    results = answer.json()["results"]
    if media is Media.NDJSON:
        assert len(results) == sum(bool(piece.strip()) for piece in body.split(b"\n"))
    kept = [result["status"] for result in results if result["status"] != "refused"]
    assert len(kept) == len(written)
    for status, record in zip(kept, written, strict=True):
        from_log = codec.decode_msgpack(record.wire)
        assert not isinstance(from_log, Tick)
        assert isinstance(from_log, Quarantined) == (status == "quarantined")
        assert record.wire in body or status == "accepted"
        assert status == "quarantined" or record.key == from_log.pump.encode()
    return Counter(result["status"] for result in results)


async def test_mutated_events_never_fail_the_gateway_and_none_is_lost():
    """Thousands of damaged events in every form: 202, 400 or 403, one result each, the log readable by the worker."""
    rng = random.Random(SEED)
    seen: Counter[str] = Counter()
    put = 0
    async with gateway() as double:
        while put < MUTATIONS:
            media = rng.choice(list(Media))
            body, events = body_of(media, rng)
            put += events
            answer = await double.post(body, media.value)
            seen += check(double, answer, body, media)
        metrics = double.gateway.metrics.exposition().decode()
    assert 'status="5' not in metrics
    for status in ("accepted", "quarantined", "refused"):
        assert f'thecaflow_gateway_events_total{{result="{status}"}} {float(seen[status])}' in metrics
        assert seen[status] > 0
    print(f"{put} events, seed {SEED}: {dict(seen)}")


async def test_mutated_headers_and_gzip_streams_never_fail_the_gateway():
    """Damaged tokens, media types and compressed bodies are refused, too."""
    rng = random.Random(SEED)
    whole = gzip.compress(b"\n".join(LINES))
    async with gateway() as double:
        for number in range(max(200, MUTATIONS // 50)):
            answer = await double.post(mutated(whole, rng), content_encoding="gzip")
            assert answer.status_code in (202, 400, 403), answer.text
            answer = await double.post(LINES[0], header(b"application/json", rng))
            assert answer.status_code in (202, 415)
            if number % 20 == 0:  # each unknown token may cost a tenth of a second, on purpose
                token = header(PREFIX.encode() + b"x" * 40, rng)
                assert (await double.post(LINES[0], authorization=f"Bearer {token}")).status_code == 401


def header(valid: bytes, rng: random.Random) -> str:
    """A damaged header text that a client can send at all."""
    text = mutated(valid, rng).decode("latin-1").encode("ascii", "replace").decode()
    return "".join(filter(str.isprintable, text))
