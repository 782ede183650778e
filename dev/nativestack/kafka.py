"""Apache Kafka in KRaft mode: one node that is broker and controller."""

import shutil
from typing import ClassVar

from nativestack.part import Part

CLUSTER_ID = "dGhlY2FmbG93LXN0YWNrMQ"  # any fixed one does for one node
LOG4J = """rootLogger = info, out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
"""


class Kafka(Part):
    """The broker, on the loopback only."""

    name: ClassVar[str] = "kafka"
    port_settings: ClassVar[tuple[str, ...]] = ("KAFKA_PORT", "KAFKA_CONTROLLER_PORT")

    def configure(self) -> None:
        """Write kafka.properties: what follows from ports and folders, then dev/stack.env's settings."""
        port, controller = self.ports
        own = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.store / "log"),
        }
        chosen = self.config.settings_after("KAFKA_SET_")
        properties = own | {name.lower().replace("_", "."): text for name, text in chosen.items()}
        self.config.conf("kafka.properties").write_text(
            "".join(f"{key}={text}\n" for key, text in properties.items())
        )
        self.config.conf("log4j2.properties").write_text(LOG4J)
        # zstd and snappy unpack native libraries there at each start; the system's own /tmp may be noexec.
        scratch = self.store / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)

    def first_time(self) -> list[str] | None:
        """Format the log folder."""
        if (self.store / "log" / "meta.properties").exists():
            return None
        return self.java(
            "kafka.tools.StorageTool",
            "format",
            "-t",
            CLUSTER_ID,
            "-c",
            str(self.config.conf("kafka.properties")),
        )

    def command(self) -> list[str]:
        """Return the broker's command line."""
        heap = self.config["KAFKA_HEAP"]
        logging = f"-Dlog4j2.configurationFile={self.config.conf('log4j2.properties')}"
        options = ["-Xms128m", f"-Xmx{heap}", f"-Djava.io.tmpdir={self.store / 'tmp'}", logging]
        return self.java(*options, "kafka.Kafka", str(self.config.conf("kafka.properties")))

    def java(self, *arguments: str) -> list[str]:
        """Command line of a Java program with Kafka's jars; small, and quick to start."""
        small = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
        return [
            str(self.config.java_home / "bin/java"),
            *small,
            "-cp",
            f"{self.config.kafka_jars}/*",
            *arguments,
        ]

    def ready(self) -> bool:
        """Whether the broker says that it has started; its log is new at each start."""
        return "Kafka Server started" in self.config.log(self.name).read_text(errors="replace")
