"""The JSON API of the console: scope, roles, filters, problems, and what machines ask."""

from __future__ import annotations

import pytest

from dashboards.console.session import Viewer
from ingest.problems import PROBLEM_JSON
from tests.unit.console.console_double import NOW_US, MemoryAnswers, console

UNTIL = "2027-01-15T10:00:00Z"


@pytest.mark.parametrize(
    ("pumps", "sites", "seen"),
    [
        (None, None, {"p1", "p2", "p3"}),
        ({"p1"}, None, {"p1"}),
        (None, {"ward-b"}, {"p2"}),
        ({"p1"}, {"ward-b"}, {"p1", "p2"}),
        (None, set(), set()),
    ],
)
def test_a_scope_is_its_pumps_and_those_of_its_sites(
    pumps: set[str] | None, sites: set[str] | None, seen: set[str]
):
    """Without a scope everything is seen; a pump without a site belongs to no site's scope."""
    viewer = Viewer(token_id="t", label="l", role="viewer", pumps=pumps, sites=sites, secret="s")
    fleet = {"p1": "ward-a", "p2": "ward-b", "p3": None}
    assert {pump for pump, site in fleet.items() if viewer.sees(pump, site)} == seen


async def test_a_token_of_one_site_sees_no_other():
    """Lists leave out what lies outside; asked by name it does not exist, for answers neither."""
    async with console() as double:
        token = double.token(sites=["ward-a"])
        pumps = (await double.get("/v1/pumps", token)).json()["pumps"]
        alerts = (await double.get("/v1/alerts", token)).json()["alerts"]
        assert ([one["pump"] for one in pumps], [one["alert_id"] for one in alerts]) == (["p1"], ["a1"])
        assert (await double.get("/v1/pumps/p1", token)).status_code == 200
        for path in ("/v1/pumps/p2", "/v1/pumps/p3", "/v1/pumps/none"):
            assert (await double.get(path, token)).status_code == 404
        assert (await double.post("/v1/alerts/a2/ack", token, reason="seen")).status_code == 404
        assert double.answers.sent == []


async def test_a_viewer_reads_and_cannot_answer():
    """The refusal is the console's own, before anything is sent to the gateway."""
    import httpx

    from dashboards.console.answers import GatewayAnswers

    def gateway(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    client = httpx.AsyncClient(transport=httpx.MockTransport(gateway))
    async with console(answers=GatewayAnswers(client, "http://gateway.test", lambda: NOW_US)) as double:
        token = double.token("viewer")
        assert (await double.get("/v1/alerts", token)).status_code == 200
        for answer, fields in (("ack", {}), ("shelve", {"until": UNTIL})):
            refused = await double.post(f"/v1/alerts/a1/{answer}", token, reason="seen", **fields)
            assert refused.status_code == 403
            assert refused.json()["type"] == "urn:thecaflow:problem:role"


async def test_a_senders_token_reads_nothing():
    """A relay's token is known, and still sees no pump."""
    async with console() as double:
        token = double.token("sender")
        for path in ("/v1/pumps", "/v1/alerts", "/v1/stream"):
            assert (await double.get(path, token)).status_code == 403


async def test_an_answer_goes_out_with_the_persons_own_token():
    """So that the gateway judges it and the log names them."""
    async with console() as double:
        token = double.token()
        acked = await double.post("/v1/alerts/a1/ack", token, reason="on my way")
        assert (acked.status_code, acked.json()["event_id"]) == (202, "e1")
        shelved = await double.post("/v1/alerts/a1/shelve", token, reason="MRI", until=UNTIL)
        assert shelved.status_code == 202
        assert isinstance(double.answers, MemoryAnswers)
        until_us = NOW_US + 2 * 3_600_000_000
        assert double.answers.sent == [
            (token, "a1", "on my way", None),
            (token, "a1", "MRI", until_us),
        ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a1", "a2"]),
        ("?state=active", ["a1"]),
        ("?state=acknowledged&priority=high", ["a2"]),
        ("?site=ward-b", ["a2"]),
        ("?pump=p1&cause=occlusion", ["a1"]),
        ("?cause=leak", []),
        ("?limit=1", ["a1"]),
    ],
)
async def test_filters_narrow_the_open_alerts(query: str, found: list[str]):
    """Each filter alone and together with others."""
    async with console() as double:
        answer = (await double.get(f"/v1/alerts{query}", double.token())).json()
        assert [one["alert_id"] for one in answer["alerts"]] == found


async def test_pumps_come_in_pages():
    """`next` leads on until there is no more."""
    async with console() as double:
        token = double.token()
        first = (await double.get("/v1/pumps?limit=2", token)).json()
        second = (await double.get(f"/v1/pumps?limit=2&after={first['next']}", token)).json()
        names = [one["pump"] for one in first["pumps"] + second["pumps"]]
        assert (names, second["next"]) == (["p1", "p2", "p3"], None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "state=gone", "cause=ghosts", "pump=a%00b", "site=%0a"]
)
async def test_a_wrong_parameter_is_named(query: str):
    """The problem says which parameter, never what was written into it."""
    async with console() as double:
        refused = await double.get(f"/v1/alerts?{query}", double.token())
        assert (refused.status_code, refused.headers["content-type"]) == (400, PROBLEM_JSON)
        assert query.partition("=")[0] in refused.json()["detail"]


async def test_before_the_first_snapshot_nothing_is_claimed():
    """No series is served rather than series that say nothing is open; logins wait too."""
    async with console(with_snapshot=False) as double:
        token = double.token()
        for path in ("/metrics", "/readyz"):
            assert (await double.get(path)).status_code == 503
        assert (await double.get("/v1/alerts", token)).status_code == 503
        await double.snapshots.look()
        assert (await double.get("/readyz")).status_code == 200
        assert 'thecaflow_alert_active{cause="occlusion"' in (await double.get("/metrics")).text


async def test_a_person_is_refused_with_a_page_and_a_program_with_a_problem():
    """By what they accept; under /v1 it is a problem always."""
    async with console(with_snapshot=False) as double:
        browser = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
        scraper = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3,*/*;q=0.1"}
        for path, headers, form in (
            ("/nowhere", browser, "text/html"),
            ("/nowhere", {}, PROBLEM_JSON),
            ("/metrics", scraper, PROBLEM_JSON),
            ("/v1/nothing", browser, PROBLEM_JSON),
        ):
            refused = await double.http.get(path, headers=headers)
            assert refused.headers["content-type"].partition(";")[0] == form
            assert refused.status_code in (404, 503)


async def test_the_document_names_every_route_that_it_serves():
    """No HTML page and no static file in it, and both ways to be known."""
    async with console() as double:
        document = (await double.get("/schema/openapi.json")).json()
        assert set(document["paths"]) == {
            "/healthz",
            "/metrics",
            "/readyz",
            "/v1/alerts",
            "/v1/alerts/{alert_id}",
            "/v1/alerts/{alert_id}/ack",
            "/v1/alerts/{alert_id}/shelve",
            "/v1/login-links",
            "/v1/pumps",
            "/v1/pumps/{pump}",
            "/v1/stream",
        }
        assert set(document["components"]["securitySchemes"]) == {"bearer", "session"}
