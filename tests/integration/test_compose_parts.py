"""What docker-compose.yml mounts into containers of others, tried on the programs of the native stack."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.migrate import migrate
from storage.pool import single
from tests.composition import ROOT, bind_mounts, composition, services
from tests.native import NativeStack
from thecaflow.settings import Settings

COMPOSE = services(composition())
SECRET = "/run/secrets/grafana_database_password"


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """The script that makes the role, with its secret where a test can write one."""
    (tmp_path / "password").write_text("it's a secret\n")
    (source,) = [ROOT / source for source, _ in bind_mounts(COMPOSE["boards-role"])]
    text = source.read_text(encoding="utf-8")
    assert SECRET in text
    script = tmp_path / "role.sql"
    script.write_text(text.replace(SECRET, str(tmp_path / "password")))
    return script


async def test_the_boards_role_reads_what_boards_show_and_nothing_about_logins(
    settings: Settings, stack: NativeStack, role: Path
):
    """Made twice it is made once; it can read every table and view, write none, and see no token."""
    async with single(settings) as connection:
        await migrate(connection)
    database = settings.database.rpartition("/")[2]
    try:
        for _ in range(2):
            stack.run("psql", "-X", "-q", "-d", database, "-f", str(role))
        listed = stack.sql(
            "SELECT relname || '|' || has_table_privilege('boards', oid, 'SELECT')::text || '|' ||"
            " has_table_privilege('boards', oid, 'INSERT,UPDATE,DELETE,TRUNCATE')::text"
            " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')",
            database,
        )
        rights = {name: tuple(said) for name, *said in (line.split("|") for line in listed.splitlines())}
        hidden = {name for name, (may_read, _) in rights.items() if may_read == "false"}
        assert hidden == {"token", "login_link"}
        assert {may_write for _, may_write in rights.values()} == {"false"}
        assert {"dose_now", "alert_now", "samples", "events"} <= set(rights)
        assert stack.sql("SET ROLE boards; SELECT count(*) FROM samples", database) == "0"
        with pytest.raises(AssertionError, match="permission denied"):
            stack.sql("SET ROLE boards; SELECT * FROM token", database)
    finally:
        stack.sql("DROP OWNED BY boards", database)
        stack.sql("DROP ROLE boards", database)


def test_prometheus_takes_the_configuration_as_it_is_mounted(stack: NativeStack, tmp_path: Path):
    """Configuration, rules, targets and the scrape of replicas fit together, by Prometheus' own judgement."""
    for source, target in bind_mounts(COMPOSE["prometheus"]):
        place = tmp_path / Path(target).relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, place)
    config = tmp_path / "etc/prometheus/prometheus.yml"
    said = stack.run("promtool", "check", "config", str(config)).decode()
    assert "is valid prometheus config file syntax" in said
    # A second job of the same name is what promtool would refuse, were the scrape of replicas called worker.
    scrape = tmp_path / "etc/prometheus/scrape/workers.yml"
    scrape.write_text(scrape.read_text().replace("job_name: worker-replicas", "job_name: worker"))
    with pytest.raises(AssertionError, match="multiple scrape configs with job name"):
        stack.run("promtool", "check", "config", str(config))
