"""Settings: the stack's file, overridden by its own variables, overridden by THECAFLOW_*."""

from pathlib import Path

import pytest

from thecaflow.settings import Settings, SettingsError, numba_cache_folder, use_numba_cache
from thecaflow.stack_env import read_stack_env


def test_defaults_are_those_of_the_stack_file():
    """Without any variable the addresses are the native stack's."""
    settings, stack = Settings.from_env({}), read_stack_env({})
    assert settings.kafka == f"127.0.0.1:{stack['KAFKA_PORT']}"
    assert settings.database == f"postgresql://postgres@127.0.0.1:{stack['PG_PORT']}/thecaflow"
    assert (settings.topic_partitions, settings.topic_retention_days) == (12, 30.0)


def test_a_variable_of_the_stack_moves_the_stack_and_its_clients():
    """KAFKA_PORT is the broker's port for dev/stack, so clients follow it."""
    assert Settings.from_env({"KAFKA_PORT": "1234"}).kafka == "127.0.0.1:1234"


def test_our_own_variable_wins_over_the_stacks():
    """THECAFLOW_KAFKA names another broker, wherever the native one would be."""
    assert Settings.from_env({"KAFKA_PORT": "1234", "THECAFLOW_KAFKA": "kafka:9092"}).kafka == "kafka:9092"


def test_settings_survive_the_way_to_another_process():
    """What to_env writes, from_env reads back as the same value."""
    settings = Settings.from_env({}).with_changes(
        topic_partitions=3, topic_retention_days=0.5, run_folder="somewhere"
    )
    assert Settings.from_env(settings.to_env()) == settings


@pytest.mark.parametrize("text", ["abc", "1.5", ""])
def test_a_malformed_number_is_named(text: str):
    """The message says which setting is wrong."""
    with pytest.raises(SettingsError, match="gateway_port"):
        Settings.from_env({"THECAFLOW_GATEWAY_PORT": text})


def test_a_key_that_can_be_guessed_is_refused():
    """The seal of sessions is as good as its key; without one each start makes its own."""
    with pytest.raises(SettingsError, match="CONSOLE_KEY"):
        Settings.from_env({"THECAFLOW_CONSOLE_KEY": "secret"})
    assert Settings.from_env({"THECAFLOW_CONSOLE_KEY": ""}).console_key == ""


def test_no_partitions_are_refused():
    """A topic has a partition at least."""
    with pytest.raises(SettingsError, match="TOPIC_PARTITIONS"):
        Settings.from_env({"THECAFLOW_TOPIC_PARTITIONS": "0"})


def test_a_broken_line_of_the_stack_file_is_named(tmp_path: Path):
    """A line that is no KEY=text is refused with its number."""
    file = tmp_path / "stack.env"
    file.write_text("# fine\nKAFKA_PORT=1\nkafka port 2\n")
    with pytest.raises(ValueError, match="line 3"):
        read_stack_env({}, file)


def test_an_installed_wheel_has_the_usual_ports(tmp_path: Path):
    """Where there is no stack file, nothing is read from it."""
    assert read_stack_env({}, tmp_path / "stack.env") == {}
    assert Settings().kafka == "127.0.0.1:9092"


def test_any_changed_kernel_file_gets_a_new_cache(tmp_path: Path):
    """Numba would keep a compiled caller after a change in another file; another folder cannot."""
    (tmp_path / "step.py").write_text("from kernels.dose import dose\n")
    (tmp_path / "dose.py").write_text("RATE = 1\n")
    before = numba_cache_folder({}, tmp_path)
    assert numba_cache_folder({}, tmp_path) == before
    (tmp_path / "dose.py").write_text("RATE = 2\n")
    assert numba_cache_folder({}, tmp_path) != before


def test_a_cache_that_the_user_chose_is_kept():
    """NUMBA_CACHE_DIR of the environment is not ours to change."""
    environ = {"NUMBA_CACHE_DIR": "mine"}
    use_numba_cache(environ)
    assert environ == {"NUMBA_CACHE_DIR": "mine"}
    environ = {}
    use_numba_cache(environ)
    assert environ["NUMBA_CACHE_DIR"] == str(numba_cache_folder({}))
