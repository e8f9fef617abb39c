"""Does a ClickHouse server serve several processes, and is one that is away told of in a sentence?"""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier, Thread
from urllib.parse import quote
from uuid import uuid4

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from history import client as client_module
from history.client import WRITER, HistoryUnavailable, connect
from history.store import History
from schemas.codec import encode
from streams import archive as archive_module
from streams.archive import Archive
from streams.log import Append
from streams.sqlite_log import SqliteLog
from streams.topics import EVENTS, topic_specs
from tests.clickhouse import READER, ClickHouse
from tests.clickhouse import WRITER as USER
from tests.headwater import headwater
from tests.integration.test_history import COUNTS, archive, order, page, records, rows

SECRET = "s3cr3t"


@pytest.fixture
def url(clickhouse: ClickHouse) -> str:
    """A database of this test's own."""
    return clickhouse.url(f"test_{uuid4().hex}")


@contextmanager
def opened(url: str, *, owner: bool = True) -> Iterator[History]:
    history = History.open(url, owner=owner)
    try:
        yield history
    finally:
        history.close()


def refusal(url: str, *, owner: bool = True) -> str:
    with pytest.raises(HistoryUnavailable) as refused, opened(url, owner=owner):
        pass
    return str(refused.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"clickhouse://headwater:{SECRET}@127.0.0.1:PORT", "check the user and the password"),
        (f"clickhouse://nobody:{SECRET}@127.0.0.1:PORT", "check the user and the password"),
        (
            f"clickhouse://headwater:{SECRET}@nowhere.invalid",
            "nowhere.invalid:8123 .*check that ClickHouse runs",
        ),
        (f"clickhouse://headwater:{SECRET}@127.0.0.1:1", "127.0.0.1:1 .*check that ClickHouse runs.*refused"),
        (f"clickhouses://headwater:{SECRET}@127.0.0.1:PORT", "https://127.0.0.1.*check that ClickHouse runs"),
        (f"clickhouse://headwater:{SECRET}@127.0.0.1:PORT/?secure=1", "https://127.0.0.1.*check that ClickH"),
        (f"clickhouse://headwater:{SECRET}#x@127.0.0.1:PORT", "cannot be read.*# as %23"),
        (f"clickhouse://headwater:{SECRET}/x@127.0.0.1:PORT", "cannot be read.*/ as %2F"),
        (f"clickhouse://headwater:a?{SECRET}@127.0.0.1:PORT", "cannot be read.*? as %3F"),
        (f"clickhouse://headwater:{SECRET}@:8123", "cannot be read"),
        (f"clickhouse://headwater:{SECRET}@127.0.0.1:PORT/a/b", "cannot be read"),
        (f"clickhouse://headwater:{SECRET}@127.0.0.1:PORT/no`name", "name one of letters"),
        (f"clickhouse://headwater:{SECRET}@127.0.0.1:PORT/?password=x", "no option 'password'"),
        (f"postgres://headwater:{SECRET}@127.0.0.1:PORT", "neither chDB nor ClickHouse"),
    ],
)
def test_who_cannot_open_it_is_told_what_to_do_without_the_password(
    clickhouse: ClickHouse, url: str, told: str
) -> None:
    """One sentence with the place and the remedy, and nothing of the password in it or in what caused it."""
    with pytest.raises(HistoryUnavailable, match=told) as refused:
        History.open(url.replace("PORT", str(clickhouse.port)))
    error: BaseException | None = refused.value
    assert "\n" not in str(error)
    while error is not None:
        assert SECRET not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_user_without_the_rights_is_told_to_be_granted_them(clickhouse: ClickHouse) -> None:
    """The server's reason is in it, and the remedy."""
    told = refusal(clickhouse.url("not_mine", READER))
    assert "grant the user of HEADWATER_HISTORY_URL what is missing" in told
    assert "Not enough privileges" in told


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who accepts a connection and says nothing does not hold the start up for ever."""
    monkeypatch.setattr(client_module, "SILENCE_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "timed out" in refusal(f"clickhouse://127.0.0.1:{silent.getsockname()[1]}")


def test_several_that_start_at_once_share_one_history(url: str) -> None:
    """Be it the first start or that of a new version: nobody fails, and everything is there once."""
    together = Barrier(4)

    def start() -> History:
        together.wait()
        return History.open(url)

    def started() -> list[History]:
        with ThreadPoolExecutor(4) as threads:
            return [each.result() for each in [threads.submit(start) for _ in range(4)]]

    first, *others = started()
    archive(first, EVENTS, {0: records(order(), page())})
    for statement in ("ALTER TABLE OrderPlaced DROP COLUMN coupon", "TRUNCATE TABLE migrations"):
        first._client.command(statement)
    for history in [first, *others, *started()]:
        assert asyncio.run(rows(history, "SELECT count(), any(coupon) FROM OrderPlaced")) == [[1, None]]
        assert asyncio.run(rows(history, "SELECT count() FROM events")) == [[2]]
        history.close()


async def test_a_reader_needs_no_right_but_to_read(clickhouse: ClickHouse, url: str) -> None:
    """A process without the archive answers everything, and the server keeps it from writing."""
    database = url.rpartition("/")[2]
    with opened(url) as owner:
        archive(owner, EVENTS, {0: records(order(), page())})
        with opened(clickhouse.url(database, READER), owner=False) as reader:
            assert await rows(reader, "SELECT count() FROM events") == [[2]]
            assert len((await reader.timeline("ann")).items) == 2
            assert await reader.archived() == {(EVENTS, 0): 2}
            with pytest.raises(DatabaseError, match="ACCESS_DENIED"):
                archive(reader, EVENTS, {0: records(page(), first=2)})


@pytest.mark.parametrize(
    "missing", ["DATABASE `{0}`", "TABLE `{0}`.OrderPlaced", "TABLE `{0}`.migrations", "VIEW"]
)
def test_a_reader_does_not_make_what_is_missing(clickhouse: ClickHouse, url: str, missing: str) -> None:
    """The archive says what the tables are: until it has, a reader is told to start it."""
    database = url.rpartition("/")[2]
    with opened(url) as owner:
        if missing == "VIEW":  # of a later version, whose migration has not run here
            owner._client.command("DELETE FROM migrations WHERE number = 3")
        else:
            owner._client.command(f"DROP {missing.format(database)} SYNC")
    assert "start the archive of this version once" in refusal(clickhouse.url(database, READER), owner=False)
    with opened(url), opened(clickhouse.url(database, READER), owner=False):
        pass


async def test_a_server_that_restarts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is away, readers are told and the archive says why it waits; then everything is there once."""
    monkeypatch.setattr(archive_module, "RETRY_S", 0.05)
    monkeypatch.setattr(archive_module, "GATHER_S", 0.01)
    server = ClickHouse(tmp_path / "server")
    log = await SqliteLog.open(tmp_path / "log.db", topic_specs(1))
    history = await asyncio.to_thread(History.open, server.url())
    archiving = Archive(log, history.writer)
    await archiving.start()
    running = asyncio.create_task(archiving.run())
    try:
        async with asyncio.timeout(60):
            await log.append([Append(EVENTS, 0, b"ann", encode(order()))])
            await archiving.settled()
            server.kill()
            await log.append([Append(EVENTS, 0, b"ann", encode(page()))])
            while not archiving.trouble:
                await asyncio.sleep(0.01)
            assert "gives no answer: check that ClickHouse runs there" in archiving.trouble
            for asked in (history.sql("SELECT 1"), history.timeline("ann"), history.archived()):
                with pytest.raises(HistoryUnavailable, match="gives no answer"):
                    await asked
            await asyncio.to_thread(server.start)
            await archiving.settled()
            assert archiving.trouble == ""
            assert history._client.query(COUNTS).result_rows == [(2, 2)]
            assert await rows(history, "SELECT count() FROM events") == [[2]]
            assert len((await history.timeline("ann")).items) == 2
    finally:
        running.cancel()
        await archiving.close()
        await asyncio.to_thread(history.close)
        await log.close()
        server.kill()


class Losing:
    """A way to the server that loses the answer to one insert of events."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.losing = False
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            near, _ = self._socket.accept()
            far = socket.create_connection(("127.0.0.1", self._port))
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=self._ask, args=(near, far), daemon=True).start()
            Thread(target=self._answer, args=(far, near), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        while data := near.recv(1 << 16):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        while data := far.recv(1 << 16):
            if self.losing and b"X-ClickHouse-Format" not in data:  # an insert's: it has no result
                self.losing = False
                break
            near.sendall(data)
        near.shutdown(socket.SHUT_RDWR)


def test_an_insert_whose_answer_is_lost_is_there_once(clickhouse: ClickHouse, url: str) -> None:
    """Nothing on the way sends it a second time; who writes the same again finds it."""
    way = Losing(clickhouse.port)
    with opened(url.replace(f":{clickhouse.port}/", f":{way.port}/")) as history:
        run = {0: records(order(), order("bob"))}
        history.writer.resume(EVENTS, 0)
        way.losing = True
        with pytest.raises(HistoryUnavailable, match="gives no answer"):
            history.writer.write(EVENTS, run)
        assert way.losing is False
        assert archive(history, EVENTS, run) == []
        assert history._client.query(COUNTS).result_rows == [(2, 2)]


def test_an_insert_that_was_given_up_holds_the_next_one_back(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server still works on it, nobody can tell whether its rows will be there."""
    monkeypatch.setattr(client_module, "SILENCE_S", 1)
    writer = connect(clickhouse.url(), WRITER, session=True)
    with pytest.raises(DatabaseError, match="timed out"):
        writer.query("SELECT sleepEachRow(3)")
    with pytest.raises(DatabaseError, match="SESSION_IS_LOCKED"):
        writer.command("SELECT 1")


def test_the_whole_sample_over_http_is_what_it_is_embedded(
    clickhouse: ClickHouse, cdnow_loaded: tuple[Path, str], tmp_path: Path
) -> None:
    """The same summary and the right SQL answer, by the command as its user runs it; no folder history."""
    url, data_dir = clickhouse.url("sample"), tmp_path / "data"
    load = ("demo", "--original-dates", "--until-loaded", "--json", "--data-dir", data_dir)
    out, err = headwater(*load, HEADWATER_HISTORY_URL=url)
    assert json.loads(out) == json.loads(cdnow_loaded[1])
    assert not (data_dir / "history").exists()
    query = "SELECT uniqExact(customer_id), count(), sum(net_minor) FROM orders WHERE NOT cancelled"
    found = headwater("sql", query, "--data-dir", data_dir, HEADWATER_HISTORY_URL=url)[0]
    assert {"23570", "69659", "250031563"} <= set(re.findall(r"\d+", found))
    assert quote(USER[1], safe="") not in out + err
    assert USER[1] not in out + err


def test_the_command_says_why_it_cannot_start(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """One line on stderr and exit 2, without a traceback or the password."""
    url = clickhouse.url(user=(USER[0], SECRET))
    command = ("demo", "--until-loaded", "--data-dir", tmp_path / "data")
    out, err = headwater(*command, HEADWATER_HISTORY_URL=url, expect=2)
    assert "check the user and the password in HEADWATER_HISTORY_URL" in err
    assert "Traceback" not in err
    assert SECRET not in out + err
