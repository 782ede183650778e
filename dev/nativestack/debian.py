"""Fetches Debian packages with an apt of its own state: signed lists, checked hashes, nothing on the machine changed."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from nativestack.config import StackConfig, StackError
from nativestack.progress import megabytes, run, say, with_retries

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What the programs link to, picked by hand: the closure of dependencies would bring perl, LLVM and X11, three times as
# much. LD_BIND_NOW=1 of any program in the tree names what is missing after a change of suite.
LINKED = """libpq5 libc6 zlib1g libzstd1 liblz4-1 libxxhash0 libssl3t64 libicu76 libstdc++6 libgcc-s1 libxml2 libxslt1.1
    libldap2 libsasl2-2 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libpam0g libaudit1
    libcap-ng0 libuuid1 libsystemd0 libcap2 liblzma5 libreadline8t64 libtinfo6 libselinux1 libpcre2-8-0""".split()  # noqa: SIM905 - a list of one name a line is no easier to read
# Prometheus' old page (/classic/graph), for a look; Debian has stripped the new one, which these do not serve.
CLASSIC_GRAPH = """libjs-bootstrap4 libjs-eonasdan-bootstrap-datetimepicker libjs-jquery libjs-jquery-hotkeys libjs-moment
    libjs-moment-timezone libjs-mustache libjs-popper.js libjs-rickshaw libjs-d3 fonts-glyphicons-halflings""".split()  # noqa: SIM905 - as above
# What the programs of this machine are called in Debian, where the stack needs them.
MACHINE_NEEDS = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "tar": "tar",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
    "/usr/share/zoneinfo/UTC": "tzdata",  # that folder is compiled into PostgreSQL
}


def packages(config: StackConfig) -> list[str]:
    """Names of the packages that the tree is made of, without Maven's, which apt names."""
    postgres = config["POSTGRES_MAJOR"]
    return [
        f"postgresql-{postgres}",
        f"postgresql-client-{postgres}",
        f"postgresql-{postgres}-timescaledb",
        f"openjdk-{config['JAVA_MAJOR']}-jre-headless",
        "prometheus",
        "promtool",
        "prometheus-alertmanager",  # amtool with it
        "openssl",
        "patchelf",
        *LINKED,
        *CLASSIC_GRAPH,
    ]


def check_machine() -> None:
    """Install what the machine lacks where we are root; raises StackError naming it all where we are not."""
    if platform.machine() != "x86_64" or shutil.which("apt-get") is None:
        raise StackError(
            "the native stack runs on Debian and Ubuntu, amd64; elsewhere use `docker compose` with docker-compose.yml"
        )
    missing = [package for thing, package in MACHINE_NEEDS.items() if not _there(thing)]
    if not missing:
        return
    if os.getuid() != 0:
        raise StackError(
            f"missing on this machine: {' '.join(missing)}. Have root run: apt-get install {' '.join(missing)}"
        )
    say(f"installing {' '.join(missing)}")
    with_retries(lambda: run(["apt-get", "-qq", "update"], "reading package lists"))
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing], "installing", env=environ)


def _there(thing: str) -> bool:
    return Path(thing).exists() if thing.startswith("/") else shutil.which(thing) is not None


def fetch(config: StackConfig, apt: Path) -> list[Path]:
    """Download all packages into ``apt``/debs and return the files."""
    debs = apt / "debs"
    for folder in ("lists/partial", "cache/archives/partial", "debs", "sources", "none", "log"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    _configure(config, apt)
    environ = os.environ | {"APT_CONFIG": str(apt / "apt.conf")}
    say(f"reading the package lists of Debian {config['DEBIAN_SUITE']}")
    with_retries(lambda: run(["apt-get", "-qq", "update"], "reading package lists", env=environ))
    wanted = packages(config) + _maven(environ)
    say(f"fetching {len(wanted)} Debian packages (about 190 MB)")
    # Files that are there and whole are not fetched again, so an attempt goes on where the last one ended.
    with_retries(
        lambda: run(
            ["apt-get", "-qq", "download", *wanted],
            "fetching packages",
            cwd=debs,
            env=environ,
            measure=lambda: megabytes(debs),
        )
    )
    return sorted(debs.glob("*.deb"))


def _maven(environ: dict[str, str]) -> list[str]:
    """Maven is pure Java in some 35 small packages; the rest of its closure is the runtime we have."""
    plan = run(
        ["apt-get", "-s", "install", "--no-install-recommends", "maven"], "planning Maven", env=environ
    )
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    return [
        name
        for name in names
        if name == "maven" or (name.endswith("-java") and name != "ca-certificates-java")
    ]


def _configure(config: StackConfig, apt: Path) -> None:
    suite = config["DEBIAN_SUITE"]
    (apt / "sources" / "own.sources").write_text(
        f"Types: deb\nURIs: {_mirror()}\nSuites: {suite} {suite}-updates\nComponents: main\nSigned-By: {_keyring(apt)}\n"
    )
    # The machine's Acquire settings (proxy, certificates) are kept; its hooks and pins are not, they act on the machine.
    dump = subprocess.run(
        ["apt-config", "dump"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    kept = [line for line in dump if line.startswith("Acquire::") and "IndexTargets" not in line]
    own = f"""
        Dir::Etc::main "/dev/null"; Dir::Etc::parts "{apt}/none"; Dir::Etc::sourcelist "/dev/null";
        Dir::Etc::sourceparts "{apt}/sources"; Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "{apt}/none";
        Dir::State "{apt}"; Dir::State::lists "{apt}/lists"; Dir::State::status "{apt}/status"; Dir::Cache "{apt}/cache";
        Dir::Log "{apt}/log"; APT::Architecture "amd64"; APT::Architectures {{ "amd64"; }}; APT::Sandbox::User "root";
        Acquire::Languages "none"; Acquire::Retries "3";"""
    (apt / "apt.conf").write_text("\n".join(kept) + own + "\n")


def _mirror() -> str:
    """Where this machine's apt fetches Debian from; asking apt reads every form of source, and names no host here."""
    if os.environ.get("MIRROR"):
        return os.environ["MIRROR"]
    release = platform.freedesktop_os_release()
    if release.get("ID") == "debian":
        form = "$(RELEASE) $(COMPONENT) $(REPO_URI)"
        targets = subprocess.run(
            ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in targets.splitlines():
            codename, component, address = line.split(" ", 2)
            if (codename, component) == (release.get("VERSION_CODENAME"), "main"):
                return address
    raise StackError("no Debian mirror among this machine's apt sources: set MIRROR to the address of one")


def _keyring(apt: Path) -> Path:
    """Debian's signing keys; Ubuntu has them as a package."""
    if KEYRING.exists():
        return KEYRING
    run(["apt-get", "-qq", "download", "debian-archive-keyring"], "fetching Debian's keys", cwd=apt)
    run(
        ["dpkg-deb", "-x", next(apt.glob("debian-archive-keyring*.deb")), apt / "keys"],
        "unpacking Debian's keys",
    )
    return apt / "keys" / KEYRING.relative_to("/")
