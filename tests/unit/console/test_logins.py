"""Sessions: how they begin and end, what their cookie looks like, and what a browser is protected from."""

from __future__ import annotations

import base64

import pytest

from dashboards.console.logins import MAX_CLIENTS, TRIES, Throttle
from tests.unit.console.console_double import console

AAD = b"additional_authenticated_data="


async def test_a_login_holds_until_its_token_is_revoked():
    """Then the next request is nobody's, and the cookie is cleared."""
    async with console() as double:
        answer = await double.log_in(double.token())
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (await double.get("/v1/alerts")).status_code == 200
        await double.revoke_all()
        refused = await double.get("/v1/alerts")
        assert refused.status_code == 401
        assert "thecaflow" not in double.http.cookies


async def test_the_cookie_shows_and_gives_away_nothing():
    """HttpOnly, Lax, not Secure without https, sealed, and set at the login alone."""
    async with console() as double:
        token = double.token()
        answer = await double.log_in(token)
        [cookie] = [text for text in answer.headers.get_list("set-cookie") if text.startswith("thecaflow=")]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie
        assert token.encode() not in base64.b64decode(cookie.partition("=")[2].partition(";")[0].strip('"'))
        assert "set-cookie" not in (await double.get("/v1/alerts")).headers


async def test_under_https_cookies_are_secure_and_the_browser_is_told_to_stay():
    """Cookies of a name that no plain site can set, and HSTS."""
    async with console("https://console.test") as double:
        answer = await double.log_in(double.token())
        cookies = answer.headers.get_list("set-cookie")
        [session] = [text for text in cookies if text.startswith("__Host-thecaflow=")]
        assert "Secure" in session
        assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    "cookie",
    [
        "null",
        "%%%",
        base64.b64encode(b"x" * 40 + AAD + b"{}").decode(),
        base64.b64encode(b"x" * 40 + AAD + b"no json").decode(),
        base64.b64encode(b"x" + AAD + b'{"expires_at": 9999999999}').decode(),
        base64.b64encode(b"x" * 40 + AAD + b'{"expires_at": "soon"}').decode(),
    ],
)
async def test_a_cookie_that_cannot_be_read_is_no_session(cookie: str):
    """Whatever is wrong with it, the answer is 401, never a failure."""
    async with console() as double:
        answer = await double.http.get("/v1/alerts", headers={"Cookie": f"thecaflow={cookie}"})
        assert answer.status_code == 401


async def test_a_session_posts_only_with_its_csrf_token():
    """Without it, or with another browser's, nothing is answered; a bearer token needs none."""
    async with console() as double:
        token = double.token()
        await double.log_in(token)
        for headers in ({}, {"x-csrftoken": "0" * 128}):
            refused = await double.http.post("/v1/alerts/a1/ack", json={"reason": "seen"}, headers=headers)
            assert (refused.status_code, refused.json()["type"]) == (403, "urn:thecaflow:problem:csrf")
        assert double.answers.sent == []
        headers = {"x-csrftoken": await double.csrf()}
        taken = await double.http.post("/v1/alerts/a1/ack", json={"reason": "seen"}, headers=headers)
        assert taken.status_code == 202
        assert (await double.post("/v1/alerts/a1/ack", token, reason="seen")).status_code == 202


async def test_a_senders_token_cannot_log_in():
    """It is no person's, and no session begins."""
    async with console() as double:
        assert (await double.log_in(double.token("sender"))).status_code == 403
        assert (await double.get("/v1/alerts")).status_code == 401


async def test_tries_are_counted_and_keep_nobody_out():
    """After ten failures of an address the next is put off; the right token and the right link are let in all the same."""
    async with console() as double:
        right = double.token()
        link = (await double.post("/v1/login-links", right)).json()["url"]
        codes = [(await double.log_in(f"wrong-{number}")).status_code for number in range(TRIES + 1)]
        assert codes == [401] * TRIES + [429]
        assert (await double.log_in(right)).status_code == 303
        double.http.cookies.delete("thecaflow")
        form = {"code": link.rpartition("/")[2], "_csrf_token": await double.csrf()}
        assert (await double.http.post("/login", data=form, follow_redirects=False)).status_code == 303
        form["code"] = "another"
        assert (await double.http.post("/login", data=form, follow_redirects=False)).status_code == 429


def test_failures_are_forgotten_after_a_minute_and_in_the_order_of_addresses():
    """Another minute counts anew, and ever new addresses take up no more room."""
    seconds = [0.0]
    throttle = Throttle(lambda: seconds[0])
    for _ in range(TRIES):
        throttle.failed("a")
    seconds[0] = 60.0
    throttle.failed("a")
    for number in range(MAX_CLIENTS + 1):
        throttle.failed(f"b{number}")
    assert len(throttle._failures) == MAX_CLIENTS


async def test_a_link_logs_in_once():
    """As whoever asked for it; the second time, and by another code, it is no login."""
    async with console() as double:
        made = await double.post("/v1/login-links", double.token(sites=["ward-b"]))
        assert made.status_code == 201
        code = made.json()["url"].rpartition("/")[2]
        form = {"code": code, "_csrf_token": await double.csrf()}
        assert (await double.http.post("/login", data=form, follow_redirects=False)).status_code == 303
        pumps = (await double.get("/v1/pumps")).json()["pumps"]
        assert [one["pump"] for one in pumps] == ["p2"]
        double.http.cookies.delete("thecaflow")
        assert (await double.http.post("/login", data=form, follow_redirects=False)).status_code == 401
        assert (await double.get("/v1/pumps")).status_code == 401


async def test_a_link_expires_and_opens_nothing_for_who_reads_the_table():
    """Ten minutes; what is stored holds neither the code nor the token."""
    async with console() as double:
        token = double.token()
        code = (await double.post("/v1/login-links", token)).json()["url"].rpartition("/")[2]
        [(kept_hash, kept)] = double.database.links.items()
        for secret in (code, token):
            assert secret.encode() not in kept_hash + kept["sealed"]
        double.now_us += 601 * 1_000_000
        form = {"code": code, "_csrf_token": await double.csrf()}
        assert (await double.http.post("/login", data=form, follow_redirects=False)).status_code == 401


@pytest.mark.parametrize("path", ["/login", "/v1/alerts", "/nowhere", "/healthz", "/static/console.css"])
async def test_every_answer_carries_the_headers(path: str):
    """Pages, problems, what does not exist: no inline script, no frame, no guessing of types."""
    async with console() as double:
        headers = (await double.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert ("no-store" in headers["cache-control"]) is (path != "/static/console.css")
