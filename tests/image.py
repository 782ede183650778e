"""Our image without an engine: the Dockerfile's own steps, carried out in folders, and its processes shut in as compose does.

Where root may make a mount namespace, a process sees the root file system read-only, a tmpfs at /tmp, no checkout, and
runs as the image's user without any capability. Elsewhere it is only given the image's environment, and nothing of ours.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.dockerfile import Instruction, environment, stages
from thecaflow.settings import numba_cache_folder
from thecaflow.stack_env import cache_folder

ROOT = Path(__file__).resolve().parent.parent
UID = 10001
# What a container's start does to the file system, as far as a namespace of mounts goes. $1 is the folder of Python, which
# may lie where only root can enter, $2 the folder above it that is closed (or nothing), $3 a mount point, $4 the checkout.
SHUT_IN = """
mount --make-rprivate /
mount --bind "$1" "$3"
if [ -n "$2" ]; then mount -t tmpfs -o mode=755 tmpfs "$2"; mkdir -p "$1"; mount --bind "$3" "$1"; fi
mount -t tmpfs -o mode=755 tmpfs "$4"
mount -o remount,bind,ro /
mount -t tmpfs -o size=64m,mode=1777,noexec tmpfs /tmp
cd /
shift 4
exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


@dataclass(frozen=True)
class Image:
    """The image's folder of programs, at another path than in a container, and what its processes are given."""

    folder: Path
    """Stands for /opt/thecaflow."""
    variables: dict[str, str]
    shut_in: bool

    def popen(
        self, command: Sequence[str], variables: Mapping[str, str] | None = None, **options: object
    ) -> subprocess.Popen[bytes]:
        """Start a command as a container would, with the image's variables and these."""
        words = self._shut_in(command) if self.shut_in else list(command)
        environ = self.variables | dict(variables or {})
        place = None if self.shut_in else str(self.folder)
        return subprocess.Popen(words, env=environ, cwd=place, **options)  # type: ignore[call-overload,no-any-return]

    def run(
        self, command: Sequence[str], variables: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started = self.popen(command, variables, **pipes)
        out, err = started.communicate(stdin, timeout=120)
        return subprocess.CompletedProcess(list(command), started.returncode, out, err)

    def _shut_in(self, command: Sequence[str]) -> list[str]:
        prefix = Path(sys.base_prefix)
        closed = [folder for folder in prefix.parents if not folder.stat().st_mode & 0o001]
        places = (
            str(prefix),
            str(closed[-1]) if closed else "",
            str(self.folder.parent / "python"),
            str(ROOT),
        )
        return ["unshare", "--mount", "sh", "-ec", SHUT_IN, "sh", *places, *command]


def can_shut_in() -> bool:
    """Whether this machine lets us make a namespace of mounts."""
    if os.getuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    return subprocess.run(trial, check=False, capture_output=True).returncode == 0


@contextmanager
def built_image() -> Iterator[Image]:
    """Build the image and hold it: what two runs at once would both build is built by one at a time.

    The layer of dependencies is kept for the next run, and so are the compiled kernels, as an engine keeps layers.
    """
    place = cache_folder(os.environ) / "tests" / "image"
    place.mkdir(parents=True, exist_ok=True)
    build, final = stages()
    dependencies = build[: [rest for _, rest in build].index("pyproject.toml README.md ./")]
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        below = _layer(place, build, dependencies)
        run = place / "run"
        shutil.rmtree(run, ignore_errors=True)
        (run / "build").mkdir(parents=True)
        (run / "python").mkdir()
        shutil.copy(below / "build" / "requirements-build.txt", run / "build")
        subprocess.run(["cp", "-al", below / "opt", run / "opt"], check=True)
        compiling = hashlib.blake2b(str(build[-2:]).encode(), digest_size=8).hexdigest()
        kernels = place / f"kernels-{below.name}-{numba_cache_folder({}).name}-{compiling}"
        if kernels.exists():
            shutil.copytree(kernels, run / "opt" / "kernels")
        _carry_out(build[len(dependencies) :], build, below / "tools", run)
        if not kernels.exists():
            _keep_one(place, "kernels-")
            shutil.copytree(run / "opt" / "kernels", kernels)
        variables = {name: _moved(text, run) for name, text in environment(final).items()}
        shut_in = can_shut_in()
        if not shut_in:  # the machine's own /tmp may hold an earlier run's
            variables |= {"NUMBA_CACHE_DIR": str(run / "kernels")}
        yield Image(run / "opt", variables, shut_in)


def _layer(place: Path, build: list[Instruction], dependencies: list[Instruction]) -> Path:
    digest = hashlib.blake2b(f"{dependencies}{sys.version}{sys.base_prefix}".encode(), digest_size=8)
    for name in ("requirements.txt", "requirements-dev.txt"):
        digest.update((ROOT / name).read_bytes())
    layer = place / f"layer-{digest.hexdigest()}"
    if not (layer / "ready").exists():
        _keep_one(place, "layer-")
        (layer / "build").mkdir(parents=True)
        subprocess.run([sys._base_executable, "-m", "venv", layer / "tools"], check=True)  # type: ignore[attr-defined]
        _carry_out(dependencies, build, layer / "tools", layer)
        (layer / "ready").touch()
    return layer


def _keep_one(place: Path, prefix: str) -> None:
    for old in place.glob(f"{prefix}*"):
        shutil.rmtree(old)


def _carry_out(steps: list[Instruction], build: list[Instruction], tools: Path, folder: Path) -> None:
    """Do COPY and RUN steps of the build stage in `folder`; the stage's own Python is the venv `tools`."""
    inherited = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("THECAFLOW_", "NUMBA_", "PYTHON"))
    }
    said = environment(build)
    del said[
        "PIP_NO_CACHE_DIR"
    ]  # an image must not hold what was fetched; a machine of tests may fetch it once
    environ = inherited | said | {"PATH": f"{tools}/bin:/usr/bin:/bin"}
    for word, rest in steps:
        if word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, folder / "build" / target)
        elif word == "RUN":
            command = ["sh", "-ec", _moved(rest, folder)]
            done = subprocess.run(
                command, cwd=folder / "build", env=environ, capture_output=True, check=False
            )
            assert done.returncode == 0, f"RUN {rest}\n{done.stdout.decode()}{done.stderr.decode()}"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, target)


def _moved(text: str, folder: Path) -> str:
    """Return a text of the Dockerfile with the image's two folders where they are in fact."""
    return text.replace("/opt/thecaflow", f"{folder}/opt").replace("/build/", f"{folder}/build/")
