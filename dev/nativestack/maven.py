"""Fetches Kafka's jars with the tree's Maven, each checked against its checksum."""

import hashlib
import os
from pathlib import Path

from nativestack.config import StackConfig
from nativestack.progress import megabytes, run, say, with_retries

SUMS = "sha256.txt"  # written last
MACHINE_SETTINGS = Path("/etc/maven/settings.xml")
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>stack</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>
{dependencies}
</dependencies></project>
"""
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


def fetch_kafka(config: StackConfig, work: Path) -> None:
    """Copy Kafka, its command line tools and a logging backend into the tree, unless an older tree handed them over.

    ``work`` holds Maven's own files.
    """
    if _has_kafka(config):
        return
    work.mkdir(parents=True, exist_ok=True)
    kafka, scala = config["KAFKA_VERSION"], config["KAFKA_SCALA_VERSION"]
    wanted = [
        ("org.apache.kafka", f"kafka_{scala}", kafka),
        ("org.apache.kafka", "kafka-tools", kafka),
        (
            "org.apache.logging.log4j",
            "log4j-slf4j-impl",
            config["LOG4J_VERSION"],
        ),  # not -slf4j2-impl: Kafka has slf4j 1.7
    ]
    pom = work / "pom.xml"
    pom.write_text(POM.format(dependencies="\n".join(DEPENDENCY.format(*parts) for parts in wanted)))
    machine: list[str | Path] = []
    if MACHINE_SETTINGS.exists():  # ~/.m2/settings.xml is read anyway
        machine = ["-gs", MACHINE_SETTINGS]
    plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{config['MAVEN_DEPENDENCY_PLUGIN_VERSION']}"
    say(f"fetching Apache Kafka {kafka} (about 120 MB with Maven's own parts)")
    # -C: a wrong checksum is an error. A repository of our own: the same jars whatever the machine has in ~/.m2.
    command: list[str | Path] = [
        "bash",
        config.tree / "usr/share/maven/bin/mvn",
        *("-q", "-B", "-ntp", "-C", "-f", pom),
        *machine,
        f"-Dmaven.repo.local={work / 'repository'}",
        f"{plugin}:copy-dependencies",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={config.kafka_jars}",
    ]
    environ = os.environ | {"JAVA_HOME": str(config.java_home)}  # ours, even where one is set
    with_retries(lambda: run(command, "fetching Kafka", env=environ, measure=lambda: megabytes(work)))
    with (config.kafka_jars / SUMS).open("w", encoding="utf-8") as sums:
        for jar in sorted(config.kafka_jars.glob("*.jar")):
            sums.write(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n")


def _has_kafka(config: StackConfig) -> bool:
    """Whether the tree holds all jars of these versions, unharmed."""
    sums = config.kafka_jars / SUMS
    if not sums.exists():
        return False
    known = {name: digest for digest, name in map(str.split, sums.read_text().splitlines())}
    wanted = {
        f"kafka_{config['KAFKA_SCALA_VERSION']}-{config['KAFKA_VERSION']}.jar",
        f"log4j-slf4j-impl-{config['LOG4J_VERSION']}.jar",
    }
    whole = (
        (config.kafka_jars / name).exists()
        and hashlib.sha256((config.kafka_jars / name).read_bytes()).hexdigest() == digest
        for name, digest in known.items()
    )
    return wanted <= set(known) and all(whole)
