"""The proxy of docker-compose.yml leads to the services that there are, keeps inner pages in, and logs no names."""

from __future__ import annotations

import re

from ingest.gateway import MEBIBYTE, GatewayLimits
from tests.composition import ROOT, composition, services
from thecaflow.stack_env import read_stack_env

STACK = read_stack_env({})
COMPOSE = services(composition())
CONF = re.sub(r"#.*", "", (ROOT / "dev/compose/nginx.conf").read_text(encoding="utf-8"))
EVENTS, PEOPLE = (
    re.search(rf"location {path} {{([^}}]*)}}", CONF)[1]  # type: ignore[index]
    for path in ("= /v1/events", "/")
)


def test_it_leads_to_services_at_the_ports_they_listen_on():
    """Each address is a service on the proxy's own network, at the port that it has inside."""
    addresses = re.findall(r"set \$(\w+) http://(\w+):(\d+);", CONF)
    expected = {"gateway": STACK["GATEWAY_PORT"], "console": STACK["CONSOLE_PORT"], "grafana": "3000"}
    assert {name: port for _, name, port in addresses} == expected
    assert all(variable == name for variable, name, _ in addresses)
    assert {name for name in expected if "front" in COMPOSE[name]["networks"]} == set(expected)
    assert set(re.findall(r"proxy_pass ([^;]+);", CONF)) == {f"${name}" for name in expected}


def test_it_listens_where_the_composition_publishes():
    """The two TLS ports are published, the health check's is for the inside only."""
    inside = {port.rpartition(":")[2] for port in COMPOSE["proxy"]["ports"]}
    assert set(re.findall(r"listen (\d+) ssl;", CONF)) == inside
    assert re.findall(r"listen ([\d.:]+);", CONF) == ["127.0.0.1:8080"]
    assert COMPOSE["proxy"]["healthcheck"]["test"][-1] == "http://127.0.0.1:8080/healthz"


def test_a_body_that_the_gateway_would_take_is_not_refused():
    """Both have one limit for events, compressed or not, and a body is not collected on the way."""
    (limit_mb,) = re.findall(r"listen 8443 ssl;\s+http2 on;\s+client_max_body_size (\d+)m;", CONF)
    assert int(limit_mb) * MEBIBYTE == GatewayLimits().body_bytes
    assert "proxy_request_buffering off;" in EVENTS


def test_live_pages_are_neither_held_back_nor_cut():
    """Server-sent events pass as they come; a phone that only listens is not thrown out after a minute."""
    assert "proxy_buffering off;" in PEOPLE
    assert "proxy_read_timeout 1h;" in PEOPLE


def test_metrics_and_health_stay_inside():
    """The metrics name pumps with open alerts and need no token, so the world may not ask for them."""
    closed = re.findall(r"location (?:~|=) (\S+) \{ return 404; \}", CONF)
    assert closed == ["^/(metrics|healthz|readyz)$", "/metrics"]
    for page in ("/metrics", "/healthz", "/readyz"):
        assert re.fullmatch(closed[0].strip("^$"), page)


def test_its_log_holds_no_name_and_no_login_link():
    """Only the first word of a path is written, and no error line, which would hold the whole of it."""
    (form,) = re.findall(r"log_format short '([^']*)'", CONF)
    assert not set(re.findall(r"\$\w+", form)) & {"$uri", "$request", "$request_uri", "$args", "$remote_addr"}
    (first_word,) = re.findall(r"map \$uri \$page \{ ~(\S+) ", CONF)
    found = re.match(first_word.replace("?<", "?P<"), "/pumps/pump-0007")
    assert found
    assert found["word"] == "/pumps"
    assert re.findall(r"error_log (.*);", CONF) == ["stderr crit"]
    assert set(re.findall(r"access_log (.*);", CONF)) == {"/dev/stdout short", "off"}


def test_only_modern_tls_is_spoken_and_all_that_is_written_is_in_tmp():
    """TLS 1.2 with forward secrecy or newer; the root file system is read-only."""
    assert re.findall(r"ssl_protocols (.*);", CONF) == ["TLSv1.2 TLSv1.3"]
    (ciphers,) = re.findall(r"ssl_ciphers (.*);", CONF)
    assert all(cipher.startswith("ECDHE-") for cipher in ciphers.split(":"))
    written = re.findall(r"(?:pid|\w+_temp_path) (\S+);", CONF)
    assert len(written) == 6
    assert all(path.startswith("/tmp/") for path in written)
