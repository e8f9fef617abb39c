"""How is the HTTP interface of ClickHouse tested where no server can run? By a small one over chDB.

A process of its own, as one process owns a chDB directory:
`python -m tests.clickhouse_front DIRECTORY [PORT]` prints the port and serves until its standard input ends.
It answers what clickhouse-connect sends; the engine behind it parses, runs, limits and kills the queries.
"""

import base64
import gzip
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import NamedTemporaryFile
from threading import Lock, Thread
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame

WRITER = ("headwater", "p@ss:w/rd#1")
READER = ("reader", "look only")  # may read and nothing else
PASSWORDS = dict([WRITER, READER])
# parameters of the interface itself; all others are settings or values of the query's parameters
INTERFACE = frozenset(
    {
        *("query", "database", "default_format", "query_id", "quota_key", "role", "buffer_size"),
        *("session_id", "session_timeout", "session_check", "close_session", "wait_end_of_query"),
        *("compress", "decompress", "enable_http_compression", "client_protocol_version", "user", "password"),
    }
)
READS = re.compile(rb"\s*(SELECT|WITH|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|KILL|\()", re.IGNORECASE)
INSERT = re.compile(rb"\s*(INSERT\s+INTO\s+.*?)\s+FORMAT\s+(\w+)\s*?\n", re.IGNORECASE | re.DOTALL)
LAST_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
CODE = re.compile(r"Code: (\d+)\. ")
STATUS = {497: 403, 516: 403, 60: 404, 81: 404, 46: 404, 47: 404, 62: 400, 27: 400, 6: 400, 457: 400}
ENCODERS = {"lz4": lz4.frame.compress, "gzip": gzip.compress}
DECODERS = {"lz4": lz4.frame.decompress, "gzip": gzip.decompress}


class Failure(Exception):
    """What the server says instead of an answer: `Code: 516. DB::Exception: …`"""


class Answer(NamedTuple):
    body: bytes
    format: str | None  # None of a statement without a result
    summary: dict[str, str]


class Sessions:
    """A session runs one query at a time, as on the server."""

    def __init__(self) -> None:
        self._busy: set[str] = set()
        self._lock = Lock()

    @contextmanager
    def held(self, name: str | None) -> Iterator[None]:
        with self._lock:
            if name in self._busy:
                raise Failure(
                    f"Code: 373. DB::Exception: Session {name} is locked by a concurrent client. "
                    "(SESSION_IS_LOCKED)"
                )
            if name:
                self._busy.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(name or "")


class Front(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, directory: str, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.directory = directory
        self.sessions = Sessions()
        self.engine = chdb.connect(directory)  # keeps the engine open between requests

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who gave up waiting is no error of the server's."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Nothing: what is told goes to the client."""

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._send(200, b"Ok.\n", {})
        else:
            self.do_POST()

    def do_POST(self) -> None:
        started = time.monotonic_ns()
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        query_id = asked.get("query_id") or str(uuid.uuid4())
        headers = {"X-ClickHouse-Query-Id": query_id, "X-ClickHouse-Timezone": "UTC"}
        body = self._body()
        try:
            user = self._user()
            with front(self).sessions.held(asked.get("session_id")):
                answer = self._answer(user, asked, body)
        except Failure as failure:
            text = str(failure)
            found = CODE.search(text)
            code = int(found[1]) if found else 1002
            headers |= {"X-ClickHouse-Exception-Code": str(code), "Content-Type": "text/plain; charset=UTF-8"}
            self._send(STATUS.get(code, 500), f"{text}\n".encode(errors="backslashreplace"), headers)
            return
        summary = answer.summary | {"elapsed_ns": str(time.monotonic_ns() - started)}
        headers["X-ClickHouse-Summary"] = json.dumps(summary)
        if answer.format:
            headers["X-ClickHouse-Format"] = answer.format
        encoding = self._encoding(asked)
        if encoding:
            headers["Content-Encoding"] = encoding
        self._send(200, ENCODERS[encoding](answer.body) if encoding else answer.body, headers)

    def _body(self) -> bytes:
        """The request's body, of a known length or in chunks, unpacked."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        encoding = self.headers.get("Content-Encoding")
        return DECODERS[encoding](body) if encoding else body

    def _user(self) -> str:
        user = self.headers.get("X-ClickHouse-User", "default")
        password = self.headers.get("X-ClickHouse-Key", "")
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            user, _, password = base64.b64decode(token).decode().partition(":")
        if PASSWORDS.get(user) != password:
            raise Failure(
                f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, "
                "or there is no user with such name. (AUTHENTICATION_FAILED) (version 26.9.1.1)"
            )
        return user

    def _answer(self, user: str, asked: dict[str, str], body: bytes) -> Answer:
        """Run the statement, which the URL begins and the body goes on with."""
        if self.headers.get_content_type() == "multipart/form-data":
            asked, body = asked | form(self.headers, body), b""
        statement = b"\n".join(part for part in (asked.get("query", "").encode(), body) if part)
        if user == READER[0] and not READS.match(statement):
            raise Failure(
                f"Code: 497. DB::Exception: {user}: Not enough privileges. To execute this query, it's "
                "necessary to have the grant. (ACCESS_DENIED)"
            )
        connection = chdb.connect(front(self).directory)
        try:
            if database := asked.get("database"):
                connection.query(f"USE `{database}`", "TabSeparated")
            if settings := ", ".join(f"{name} = {quoted(value)}" for name, value in settings_of(asked)):
                connection.query(f"SET {settings}", "TabSeparated")
            return run(connection, statement, asked)
        except (RuntimeError, ValueError) as error:  # chDB's errors are such
            text = str(error)
            raise Failure(text[max(text.find("Code: "), 0) :].strip()) from error
        finally:
            connection.close()

    def _encoding(self, asked: dict[str, str]) -> str | None:
        if asked.get("enable_http_compression", "1") != "1":  # on by default
            return None
        offered = (part.strip() for part in self.headers.get("Accept-Encoding", "").split(","))
        return next((name for name in offered if name in ENCODERS), None)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def front(handler: Handler) -> Front:
    return cast(Front, handler.server)


def form(headers: Message, body: bytes) -> dict[str, str]:
    """The fields of a multipart form."""
    message = message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body)
    return {
        str(part.get_param("name", header="content-disposition")): cast(
            bytes, part.get_payload(decode=True)
        ).decode()
        for part in cast(list[Message], message.get_payload())
    }


def settings_of(asked: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in asked.items()
        if name not in INTERFACE and not name.startswith("param_")
    ]


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def infile(statement: bytes) -> Iterator[bytes]:
    """The statement with the rows of an INSERT in a file: chDB ends rows in a query at a blank line."""
    insert = INSERT.match(statement)
    if insert is None:
        yield statement
        return
    with NamedTemporaryFile() as rows:
        rows.write(statement[insert.end() :])
        rows.flush()
        yield b"%s FROM INFILE %s FORMAT %s" % (insert[1], quoted(rows.name).encode(), insert[2])


def run(connection: Any, statement: bytes, asked: dict[str, str]) -> Answer:
    values = {
        name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")
    }
    with infile(statement) as complete:
        result = connection.query(complete, asked.get("default_format", "TabSeparated"), params=values)
    body = result.bytes() or b""
    named = LAST_FORMAT.search(statement[-200:])
    shown = named[1].decode() if named else "TabSeparated" if body else None
    return Answer(body, shown, {"read_rows": str(result.rows_read()), "read_bytes": str(result.bytes_read())})


def main() -> None:
    directory, port = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    server = Front(directory, port)
    Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    os._exit(0)  # like a server that is killed: what was answered is on disk


if __name__ == "__main__":
    main()
