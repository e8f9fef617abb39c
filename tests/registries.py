"""Which external registries do tests use? A double that keeps Confluent's REST contract, and a real one.

The real one is Apicurio Registry (io.apicurio:apicurio-registry-app:3.0.9:all on Maven Central, a tar.gz,
for Java 17), where HEADWATER_TEST_APICURIO names the folder that it is unpacked in. The same tests run on
both, so that the double says what a registry says.
"""

import base64
import copy
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import avro.schema
import fastavro
import httpx2
import msgspec
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from msgspec.structs import asdict

from schemas import codec, external, registry
from schemas.codec import HEADER
from schemas.events import Event

READY_WITHIN_S = 120


class Double:
    """Ids for all subjects by content, versions a subject, BACKWARD checks, Confluent's error codes."""

    def __init__(self, first_id: int = 1_000) -> None:
        self.ids: dict[str, int] = {}
        self.versions: dict[str, list[str]] = {}
        self.requests: list[str] = []
        self.user: str | None = None  # USER:PASSWORD that every request must have
        self.answers_all: tuple[int, dict[str, Any]] | None = None
        self.url = ""
        self._first_id = first_id

    def answer(self, method: str, path: str, body: bytes, authorization: str | None) -> tuple[int, Any]:
        self.requests.append(f"{method} {path}")
        if self.answers_all is not None:
            return self.answers_all
        if self.user and authorization != "Basic " + base64.b64encode(self.user.encode()).decode():
            return 401, {"error_code": 401, "message": "Unauthorized"}
        match method, *map(unquote, path.strip("/").split("/")):
            case "POST", "subjects", subject, "versions":
                return self._register(subject, json.loads(body)["schema"])
            case "GET", "schemas", "ids", number:
                found = next((text for text, given in self.ids.items() if given == int(number)), None)
                return (200, {"schema": found}) if found else (404, _error(40403, "Schema not found"))
        return 404, _error(404, "HTTP 404 Not Found")

    def _register(self, subject: str, text: str) -> tuple[int, Any]:
        try:
            schema = avro.schema.parse(text)
        except AvroException as error:
            return 422, _error(42201, f"Invalid schema: {error}")
        canonical = json.dumps(json.loads(text))
        versions = self.versions.get(subject, [])
        if canonical not in versions:
            if versions:
                found = ReaderWriterCompatibilityChecker().get_compatibility(
                    schema, avro.schema.parse(versions[-1])
                )
                if found.compatibility is not SchemaCompatibilityType.compatible:
                    return 409, _error(409, "Schema being registered is incompatible with an earlier schema")
            self.versions[subject] = [*versions, canonical]
        return 200, {"id": self.ids.setdefault(canonical, self._first_id + len(self.ids))}


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error_code": code, "message": message}


@contextmanager
def double_url() -> Iterator[str]:
    """The address of a double that nobody talks to otherwise."""
    with double() as found:
        yield found.url


@contextmanager
def double(first_id: int = 1_000) -> Iterator[Double]:
    """A registry on loopback."""
    found = Double(first_id)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: in two, each waits 40 ms for the client's acknowledgement

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, told = found.answer(self.command, self.path, body, self.headers.get("Authorization"))
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def apicurio() -> Iterator[str]:
    """A real registry in memory, checking that versions are BACKWARD compatible; its URL."""
    folder, java = os.environ.get("HEADWATER_TEST_APICURIO"), shutil.which("java")
    jars = list(Path(folder).glob("apicurio-registry-app-*-runner.jar")) if folder else []
    if not jars or java is None:
        pytest.skip(f"no Apicurio Registry here ({__name__} says how to have one)")
    port = free_port()
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    options = ["-Xmx512m", f"-Dquarkus.http.port={port}", "-Dquarkus.http.host=127.0.0.1"]
    process = subprocess.Popen([java, *options, "-jar", str(jars[0])], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not _answers(url):
            assert process.poll() is None, "Apicurio ended at once"
            assert time.monotonic() < deadline, "Apicurio does not answer"
            time.sleep(0.2)
        httpx2.put(f"{url}/config", json={"compatibility": "BACKWARD"}).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait()


REGISTRIES = {"double": double_url, "apicurio": apicurio}


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/subjects").status_code == 200
    except httpx2.HTTPError:
        return False


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def with_user(url: str, user: str) -> str:
    """The URL with USER:PASSWORD in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}@{parts.netloc}").geturl()


def register(url: str, subject: str, schema: dict[str, Any]) -> int:
    """Register a schema as a producer of its own would; its id."""
    answer = httpx2.post(
        f"{url}/subjects/{subject}/versions", json={"schema": msgspec.json.encode(schema).decode()}
    )
    return int(answer.raise_for_status().json()["id"])


def newer_order(**field: object) -> dict[str, Any]:
    """The schema of orders as a later version may have it."""
    schema = copy.deepcopy(registry.schema(registry.schema_id("OrderPlaced")))
    schema["fields"].append({"name": "gift_note", "type": "string", **field})
    return schema


def written(schema_id: int, schema: dict[str, Any], event: Event, **more: object) -> bytes:
    """A record as another producer writes it, with a schema of its own."""
    body = BytesIO()
    plain = codec._plain(schema)
    fastavro.schemaless_writer(body, fastavro.parse_schema(plain), asdict(event) | more)
    return HEADER.pack(0, schema_id) + body.getvalue()


@contextmanager
def adopted(url: str) -> Iterator[None]:
    """The ids of a registry in force in this process, and the built-in ones again afterwards."""
    try:
        external.adopt(url)
        yield
    finally:
        codec.use()
