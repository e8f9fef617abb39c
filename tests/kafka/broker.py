"""Where do the tests get a real Apache Kafka? One KRaft broker in a process, of jars that Maven fetches."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
VERSION = "4.1.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "headwater" / f"kafka-{VERSION}"
HEAP = "-Xmx1g"
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # to start: half the time of a JVM that optimises
READY_S = 60
FETCH_S = 600
USER, PASSWORD = "headwater", "correct horse"
REMEDY = (
    "no Kafka to test on: set HEADWATER_TEST_KAFKA_URL=kafka://host:9092 (its topics will be deleted), or "
    "install Java 17 and Maven (on Debian: apt install default-jre-headless maven)"
)

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,\
CONTROLLER:PLAINTEXT
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
required user_{user}="{password}";
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.ssl.keystore.type=PKCS12
listener.name.sasl_ssl.ssl.keystore.location={keystore}
listener.name.sasl_ssl.ssl.keystore.password={user}
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.cleaner.backoff.ms=2000
"""

LOGGING = """
<Configuration status="ERROR">
<Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""


class NoKafka(Exception):
    """There is no broker here, and none can be had; the message says how to change that."""


def jars() -> Path:
    """The broker's jars, fetched on first use, by one process of several; raises NoKafka."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lib = CACHE / "lib"
        if not lib.exists():
            _fetch_jars(lib)
        return lib


def _fetch_jars(lib: Path) -> None:
    java, maven = shutil.which("java"), shutil.which("mvn")
    if java is None or maven is None:
        raise NoKafka(REMEDY)
    partial = CACHE / f"lib.{os.getpid()}"
    partial.mkdir(parents=True)
    fetch = [
        maven,
        "-q",
        "-B",
        "-f",
        str(POM),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={partial}",
    ]
    fetched = subprocess.run(fetch, capture_output=True, text=True, timeout=FETCH_S, check=False)
    if fetched.returncode:
        shutil.rmtree(partial)
        raise NoKafka(f"{REMEDY}; Maven said: {fetched.stdout[-500:]}")
    partial.rename(lib)


class Broker:
    """One broker whose data lies in `path`; its ports stay the same when it is started again."""

    def __init__(self, path: Path, jvm: Sequence[str] = QUICK) -> None:
        self._path = path
        self._java = [
            "java",
            HEAP,
            *jvm,
            f"-Dlog4j2.configurationFile={path / 'log4j2.xml'}",
            "-cp",
            f"{jars()}/*",
        ]
        path.mkdir(parents=True, exist_ok=True)
        self.port, self.sasl_port, self.tls_port, controller = _free_ports(4)
        self.ca_file = path / "ca.pem"
        keystore = path / "keystore.p12"
        _make_certificate(keystore, self.ca_file)
        ports = {"PLAINTEXT": self.port, "SASL_PLAINTEXT": self.sasl_port, "SASL_SSL": self.tls_port}
        (path / "log4j2.xml").write_text(LOGGING)
        (path / "server.properties").write_text(
            PROPERTIES.format(
                listeners=",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
                controller=controller,
                data=path / "data",
                user=USER,
                password=PASSWORD,
                keystore=keystore,
            )
        )
        self._properties = str(path / "server.properties")
        tool = [*self._java, "kafka.tools.StorageTool"]
        cluster = "AAAAAAAAAAAAAAAAAAAAAA"
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        command = [
            *tool,
            "format",
            "--standalone",
            "-t",
            cluster,
            "-c",
            self._properties,
            "--add-scram",
            scram,
        ]
        subprocess.run(command, check=True, capture_output=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"kafka://127.0.0.1:{self.port}"

    @property
    def sasl_url(self) -> str:
        return f"kafka://127.0.0.1:{self.sasl_port}"

    @property
    def tls_url(self) -> str:
        return f"kafka://127.0.0.1:{self.tls_port}"

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Return once it takes connections."""
        with (self._path / "output").open("ab") as output:
            command = [*self._java, "kafka.Kafka", self._properties]
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + READY_S
        while not _listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._path / "output").read_text()[-3_000:])
            time.sleep(0.1)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it: SIGTERM in order, SIGKILL as a crash does."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(timeout=READY_S)
        finally:
            self._process.kill()
            self._process.wait()


def _make_certificate(keystore: Path, ca_file: Path) -> None:
    """A certificate of 127.0.0.1 that is its own authority, for a week."""
    tool = [
        "keytool",
        *(f"-J{flag}" for flag in QUICK),
        "-keystore",
        str(keystore),
        "-storepass",
        USER,
        "-alias",
        "broker",
    ]
    make = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1"]
    subprocess.run([*tool, *make, "-validity", "7"], check=True, capture_output=True)
    export = ["-exportcert", "-rfc", "-file", str(ca_file)]
    subprocess.run([*tool, *export], check=True, capture_output=True)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
