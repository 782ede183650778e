"""Secrets from files and kernels from the image, before a command begins."""

from pathlib import Path

import pytest

from thecaflow.cli import run
from thecaflow.container import lay_out_kernels, read_secret_files
from thecaflow.settings import Settings, SettingsError


def test_a_secret_in_a_file_is_a_setting_like_one_in_a_variable(tmp_path: Path):
    """The console's key and the database's password come without the newline that an editor leaves."""
    (tmp_path / "key").write_text("a long secret of 32 letters, drawn\n")
    (tmp_path / "password").write_text("pass word\n")
    environ = {"THECAFLOW_CONSOLE_KEY_FILE": f"{tmp_path}/key", "PGPASSWORD_FILE": f"{tmp_path}/password"}
    read_secret_files(environ)
    assert environ == {
        "THECAFLOW_CONSOLE_KEY": "a long secret of 32 letters, drawn",
        "PGPASSWORD": "pass word",
    }
    assert Settings.from_env(environ).console_key == "a long secret of 32 letters, drawn"


def test_files_of_other_programs_are_left_alone(tmp_path: Path):
    """A variable such as SSL_CERT_FILE names a file that is no secret of ours, and may not even exist."""
    environ = {"SSL_CERT_FILE": f"{tmp_path}/none", "POSTGRES_PASSWORD_FILE": f"{tmp_path}/none"}
    before = dict(environ)
    read_secret_files(environ)
    assert environ == before


def test_a_secret_that_cannot_be_read_or_is_given_twice_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Whoever forgot to make the file reads which variable names it, and no stack trace."""
    monkeypatch.setenv("THECAFLOW_CONSOLE_KEY_FILE", f"{tmp_path}/none")
    assert run(["--version"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"thecaflow: THECAFLOW_CONSOLE_KEY_FILE={tmp_path}/none: No such file or directory"
    ]
    with pytest.raises(SettingsError, match="PGPASSWORD and PGPASSWORD_FILE are both set"):
        read_secret_files({"PGPASSWORD": "a", "PGPASSWORD_FILE": f"{tmp_path}/none"})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="no UTF-8 text"):
        read_secret_files({"PGPASSWORD_FILE": f"{tmp_path}/bytes"})


def test_compiled_kernels_are_copied_once_and_never_over_what_is_there(tmp_path: Path):
    """Numba finds the image's kernels in the folder it may write to, and what it added itself stays."""
    compiled, wanted = tmp_path / "image", tmp_path / "tmp"
    compiled.mkdir()
    (compiled / "step.nbi").write_text("index")
    environ = {"COMPILED_KERNELS": str(compiled), "NUMBA_CACHE_DIR": str(wanted)}
    lay_out_kernels(environ)
    assert (wanted / "step.nbi").read_text() == "index"
    (wanted / "step.nbi").write_text("index of more")
    lay_out_kernels(environ)
    assert (wanted / "step.nbi").read_text() == "index of more"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image", "tmp"]


def test_a_folder_that_cannot_be_written_stops_no_command_without_kernels(tmp_path: Path):
    """`docker run --read-only thecaflow --help` without any tmpfs still shows its help."""
    (tmp_path / "image").mkdir()
    (tmp_path / "file").touch()
    environ = {"COMPILED_KERNELS": str(tmp_path / "image"), "NUMBA_CACHE_DIR": str(tmp_path / "file" / "x")}
    lay_out_kernels(environ)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "image"]
