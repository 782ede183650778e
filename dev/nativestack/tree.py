"""Lays packages out in one folder and makes their programs run from there on any machine, with any C library."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from nativestack.config import LIBRARIES, LOADER, StackConfig, StackError
from nativestack.progress import run, say

LEFT_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "*/bitcode", "*/gconv", "*llvmjit*")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ALERTMANAGER = "usr/bin/prometheus-alertmanager"
# Debian's Alertmanager reads standard templates from a compiled-in folder, before and whatever the configuration says, and
# no option moves it. A relative path of the same length takes its place; alertmanager.py starts it where that leads.
COMPILED_IN = b"/usr/share/prometheus/alertmanager"
RELATIVE = b"./" * 11 + b"alertmanager"


def lay_out(config: StackConfig, debs: Iterable[Path]) -> None:
    """Unpack ``debs`` into the tree. Built aside and moved when whole, so that a broken run leaves no half tree.

    An older tree stays until then and hands over its Kafka, so that servers which run from it hardly notice.
    """
    new, old = config.home / "tree.new", config.home / "tree.old"
    for remains in (new, old):
        shutil.rmtree(remains, ignore_errors=True)
    for folder in ("bin", "lib", "lib64", "sbin"):
        (new / "usr" / folder).mkdir(parents=True)
        (new / folder).symlink_to(f"usr/{folder}")  # Debian's merged /usr
    say("laying out the packages")
    for deb in debs:
        _unpack(deb, new)
    _trust_what_the_machine_trusts(new)
    _turn_links_inwards(new)
    _patch_programs(config, new)
    _move_templates(new)
    if config.tree.exists():
        config.tree.rename(old)
    new.rename(config.tree)
    if (old / "kafka").exists():
        (old / "kafka").rename(config.kafka_jars)
    shutil.rmtree(old, ignore_errors=True)


def _unpack(deb: Path, new: Path) -> None:
    excluded = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as unpacking:
        subprocess.run(
            ["tar", "-x", "-C", str(new), "--no-same-owner", "--keep-directory-symlink", *excluded],
            stdin=unpacking.stdout,
            check=True,
        )
    if unpacking.returncode != 0:
        raise StackError(f"{deb.name} cannot be unpacked: `dev/stack wipe all`, then set up again")
    named = subprocess.run(["dpkg-deb", "-W", str(deb)], capture_output=True, text=True, check=True).stdout
    with (new / "versions.txt").open("a", encoding="utf-8") as versions:
        versions.write(named)


def _own(new: Path, program: str, *arguments: str | Path) -> list[str | Path]:
    """Command line of one of the tree's own programs before it is patched: through the tree's loader."""
    return [
        new / LIBRARIES / LOADER,
        "--library-path",
        new / LIBRARIES,
        new / "usr/bin" / program,
        *arguments,
    ]


def _trust_what_the_machine_trusts(new: Path) -> None:
    """Build Java's trust store from the machine's bundle: a company's own proxy is then trusted by Maven too.

    Without ``-jdktrust`` Java ignores the entries; without a password and a digest it opens the store by default.
    """
    store = new / "etc/ssl/certs/java/cacerts"
    store.parent.mkdir(parents=True)
    bundle = os.environ.get("SSL_CERT_FILE", CERTIFICATES)
    options = [
        "pkcs12",
        "-export",
        "-nokeys",
        "-jdktrust",
        "anyExtendedKeyUsage",
        "-certpbe",
        "NONE",
        "-nomac",
    ]
    run(
        _own(new, "openssl", *options, "-passout", "pass:", "-in", bundle, "-out", store),
        "building Java's trust store",
        env=os.environ | {"OPENSSL_CONF": "/dev/null"},  # the tree's is not at /etc
    )
    store.chmod(0o644)


def _turn_links_inwards(new: Path) -> None:
    """Make Debian's links to /etc and /usr (Java's and Maven's configuration) point into the tree."""
    for folder, folders, files in os.walk(new):
        for name in (*folders, *files):
            link = Path(folder) / name
            if not link.is_symlink():
                continue
            target = str(link.readlink())
            inside = new / target.lstrip("/")
            if target.startswith("/") and inside.exists():
                link.unlink()
                link.symlink_to(os.path.relpath(inside, link.parent))


def _patch_programs(config: StackConfig, new: Path) -> None:
    """Let programs built for Debian 13 use the tree's loader and libraries, for which the machine may be too old.

    RPATH, not RUNPATH (--force-rpath): it also holds for what is loaded later, such as timescaledb.so and libjvm.so. No
    LD_LIBRARY_PATH: children such as /bin/sh would inherit it and break. The paths are absolute, so the folder cannot
    be moved; the stamp of setup.py notices.
    """
    java = new / config.java_home.relative_to(config.tree)
    folders = (new / config.postgres_bin.relative_to(config.tree), java / "bin")
    programs = [
        file for folder in folders for file in folder.iterdir() if file.is_file() and not file.is_symlink()
    ]
    patched = 0
    for program in (*programs, java / "lib/jspawnhelper"):
        if program.read_bytes()[:4] != b"\x7fELF":
            continue
        interpreter = ("--set-interpreter", config.libraries / LOADER)
        run(
            _own(new, "patchelf", *interpreter, "--force-rpath", "--add-rpath", config.libraries, program),
            "patching",
        )
        patched += 1
    if patched < 10:  # without patchelf's work it silently half works
        raise StackError(
            f"only {patched} programs were found to patch: Debian's packages changed their folders"
        )


def _move_templates(new: Path) -> None:
    program = new / ALERTMANAGER
    code = program.read_bytes()
    if len(COMPILED_IN) != len(RELATIVE) or COMPILED_IN not in code:
        raise StackError(
            "Alertmanager's standard templates moved: tree.py must learn where Debian has them now"
        )
    program.write_bytes(code.replace(COMPILED_IN, RELATIVE))
