"""Which processes make up Headwater on Kafka? Any number of each; the README says what each one does."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import directory
from cli.errors import Refused
from cli.options import DATA_DIR, PORT, DataDir, Port
from cli.run import run_until_stopped

STOP_WITHIN_S = 9.0  # where Kafka is away: what is under way is a transaction, or will be done again

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.health import Health
    from api.metrics import Metrics
    from streams.folding import Folding
    from streams.kafka_log import KafkaLog
    from streams.log import TopicPartition
    from streams.membership import Commit, Work
    from streams.settings import Settings


def worker(data_dir: DataDir = DATA_DIR, port: Port = PORT) -> None:
    """Fold the partitions that Kafka assigns to this worker, until Ctrl-C.

    Needs HEADWATER_LOG_URL=kafka://…. Each worker has a data directory of its own, which may be lost: it is
    recovered from the changelog. HEADWATER_WORKER_ID keeps its partitions for it while it restarts.
    """
    run_until_stopped(_worker(data_dir, port), STOP_WITHIN_S)


def api(data_dir: DataDir = DATA_DIR, port: Port = PORT) -> None:
    """Serve the API and the dashboard of a log on Kafka, until Ctrl-C.

    Needs HEADWATER_LOG_URL=kafka://… and HEADWATER_HISTORY_URL=clickhouse://…. The data directory keeps the
    read model, which may be lost: it is filled again from the changelog.
    """
    run_until_stopped(_api(data_dir, port), STOP_WITHIN_S)


def archive(data_dir: DataDir = DATA_DIR, port: Port = PORT) -> None:
    """Bring the log from Kafka into the history, until Ctrl-C.

    Needs HEADWATER_LOG_URL=kafka://… and HEADWATER_HISTORY_URL=clickhouse://…; several share the partitions.
    """
    run_until_stopped(_archive(data_dir, port), STOP_WITHIN_S)


def tick(data_dir: DataDir = DATA_DIR, port: Port = PORT) -> None:
    """Hold the clock of a log on Kafka, or stand by for it, until Ctrl-C.

    Needs HEADWATER_LOG_URL=kafka://…. The holder tells the base currency, the lifecycle rules (in
    DATA_DIR/lifecycle.toml), ticks and RFM boundaries; of several processes one holds the clock at a time.
    """
    run_until_stopped(_tick(data_dir, port), STOP_WITHIN_S)


def learn(data_dir: DataDir = DATA_DIR, port: Port = PORT) -> None:
    """Let the models of a log on Kafka learn, or stand by for it, until Ctrl-C.

    Needs HEADWATER_LOG_URL=kafka://…. Of several processes one learns at a time. The data directory keeps a
    checkpoint, which may be lost: everything is learned again from the log.
    """
    run_until_stopped(_learn(data_dir, port), STOP_WITHIN_S)


def deliver(data_dir: DataDir = DATA_DIR, port: Port = PORT) -> None:
    """Send the messages that triggers decided on, until Ctrl-C.

    Needs HEADWATER_LOG_URL=kafka://…, and HEADWATER_WEBHOOK_SECRET_<NAME> for each secret that webhooks are
    signed with; several share the partitions. The data directory keeps the read model and the queue, which
    may be lost: they are filled again from Kafka.
    """
    run_until_stopped(_deliver(data_dir, port), STOP_WITHIN_S)


class _Process:
    """What every process has: its settings, the log, a port that it is asked on, and what ends with it."""

    def __init__(
        self,
        name: str,
        settings: "Settings",
        log: "KafkaLog",
        listening: socket.socket,
        stack: AsyncExitStack,
    ) -> None:
        self.name = name
        self.settings = settings
        self.log = log
        self.listening = listening
        self.stack = stack
        self.runs = False  # what fails from then on is no matter of how it was started

    async def share(self, group: str, topics: Sequence[str], work: "Work") -> None:
        """Do `work` on the partitions that the group leaves to this process."""
        from streams.kafka_client import connection
        from streams.membership import KeptOut, share

        session_s, member_id = self.settings.session_seconds, self.settings.worker_id
        connecting = connection(self.settings)
        try:
            await share(connecting, group, topics, work, session_s=session_s, member_id=member_id)
        except KeptOut as error:
            raise Refused(str(error)) from error

    async def run(
        self, app: "FastAPI", *work: Coroutine[Any, Any, None], on_stop: Callable[[], None] = lambda: None
    ) -> None:
        """Serve `app` and do `work` until stopped; raises what fails."""
        from cli.compose import background
        from cli.serving import serving

        self.runs = True
        async with background(*work), serving(app, self.settings, self.listening, on_stop):
            await asyncio.Event().wait()

    async def run_unseen(
        self,
        look: Callable[[], Awaitable["Health"]],
        *work: Coroutine[Any, Any, None],
        measure: Callable[["Metrics"], None] = lambda _: None,
    ) -> None:
        """Do `work` until stopped, and serve only how that is; raises what fails."""
        from api.health import create_health

        await self.run(create_health(self.settings, self.name, look, measure), *work)


@asynccontextmanager
async def _process(name: str, data_dir: Path, port: int) -> AsyncIterator[_Process]:
    """Hold the directory and the port, and open the log; raises Refused where the process cannot start."""
    from cli.compose import CANNOT_START, settings_of
    from cli.serving import bind
    from streams.kafka import opened

    settings = settings_of(data_dir)
    process: _Process | None = None
    try:
        with directory.held(data_dir), bind(settings.host, port) as listening:
            async with AsyncExitStack() as stack:
                log = await stack.enter_async_context(opened(settings))
                process = _Process(name, settings, log, listening, stack)
                yield process
    except CANNOT_START as error:
        if process is not None and process.runs:
            raise
        raise Refused(str(error)) from error


async def _worker(data_dir: Path, port: int) -> None:
    from api.health import Health
    from streams.worker import working

    async with _process("projections", data_dir, port) as process:
        folding = await process.stack.enter_async_context(working(process.settings, process.log))

        async def look() -> Health:
            status = await folding.status()
            return Health(status.reason, status.lag)

        await process.run_unseen(look, _failure(folding))


async def _failure(folding: "Folding") -> None:
    """End the process where its projections died, at once: there is nothing to save.

    What it had begun is a transaction that the next owner has decided, or decides, and the local store is a
    cache. Stopping in order would wait for parts that are broken. A supervisor starts it again.
    """
    error = await folding.failed  # told by folding, with its traceback
    print(f"headwater: the projections died and the process ends: {error}", file=sys.stderr, flush=True)
    os._exit(1)


async def _api(data_dir: Path, port: int) -> None:
    from api.app import create_api
    from api.live import Live
    from api.models import Models
    from api.read_model import ReadModel
    from api.services import Services
    from cli.compose import history_url
    from history.store import History
    from streams.cluster import Cluster
    from streams.deliveries import Deliveries

    async with _process("api", data_dir, port) as process:
        settings, log, stack = process.settings, process.log, process.stack
        if settings.history_url is None:
            raise Refused(
                "HEADWATER_HISTORY_URL is not set: name the ClickHouse server that `headwater archive` "
                "fills, for chDB belongs to one process."
            )
        history = await asyncio.to_thread(partial(History.open, history_url(settings), owner=False))
        stack.push_async_callback(asyncio.to_thread, history.close)
        read_model = await ReadModel.open(data_dir / "read_model.db", log)
        stack.push_async_callback(read_model.close)
        models = Models(log)
        live = Live(read_model, log, models)
        cluster = Cluster(settings, log, read_model)
        deliveries = await Deliveries.open(data_dir, log)
        stack.push_async_callback(deliveries.close)
        app = create_api(Services(settings, log, cluster, read_model, live, history, models, deliveries))
        await process.run(app, read_model.run(), models.run(), deliveries.run(), on_stop=live.close)


async def _archive(data_dir: Path, port: int) -> None:
    from api.health import Health
    from cli.compose import history_url
    from history.store import History
    from streams.archive import TOPICS, Archive

    async with _process("archive", data_dir, port) as process:
        history = await asyncio.to_thread(History.open, history_url(process.settings))
        process.stack.push_async_callback(asyncio.to_thread, history.close)
        archive: Archive | None = None

        async def work(partitions: frozenset["TopicPartition"], commit: "Commit") -> None:
            nonlocal archive
            archive = Archive(process.log, history.writer, commit)
            try:
                await archive.start_patiently(partitions)
                await archive.run()
            finally:
                await archive.close()
                archive = None

        async def look() -> Health:
            if archive is None:
                return Health("no partitions are assigned yet, or no longer; wait", {})
            return Health(archive.trouble, await archive.lags())

        await process.run_unseen(look, process.share("headwater-archive", TOPICS, work))


async def _tick(data_dir: Path, port: int) -> None:
    from api.health import Health
    from api.read_model import ReadModel
    from streams.holder import GROUP, Holder
    from streams.topics import CLOCK
    from streams.wanted import load

    async with _process("clock", data_dir, port) as process:
        wanted = load(process.settings)
        read_model = await ReadModel.open(data_dir / "read_model.db", process.log)
        process.stack.push_async_callback(read_model.close)
        holder = Holder(process.settings, process.log, read_model, wanted)

        async def look() -> Health:
            return Health(holder.trouble or read_model.trouble, await read_model.lag())

        await process.run_unseen(look, read_model.run(), process.share(GROUP, (CLOCK,), holder.hold))


async def _learn(data_dir: Path, port: int) -> None:
    from api.health import Health
    from streams.learner import GROUP, Learner
    from streams.learner import learn as learn_models
    from streams.topics import EXAMPLES

    async with _process("models", data_dir, port) as process:
        learner: Learner | None = None

        def hold(learning: Learner) -> None:
            nonlocal learner
            learner = learning

        async def work(_partitions: frozenset["TopicPartition"], _commit: "Commit") -> None:
            nonlocal learner
            try:
                await learn_models(process.log, data_dir, process.settings.champion, hold)
            finally:
                learner = None

        async def look() -> Health:
            if learner is None:
                return Health("", {})  # another one learns, or will
            return Health(learner.trouble, {EXAMPLES: await learner.lag()})

        await process.run_unseen(look, process.share(GROUP, (EXAMPLES,), work))


async def _deliver(data_dir: Path, port: int) -> None:
    from api.health import Health
    from api.read_model import ReadModel
    from streams.deliveries import Deliveries
    from streams.reacting import GROUP, Reactor
    from streams.sending import Sender
    from streams.topics import DECISIONS

    async with _process("deliveries", data_dir, port) as process:
        settings, log, stack = process.settings, process.log, process.stack
        read_model = await ReadModel.open(data_dir / "read_model.db", log)
        stack.push_async_callback(read_model.close)
        deliveries = await Deliveries.open(data_dir, log)
        stack.push_async_callback(deliveries.close)
        sender = await stack.enter_async_context(Sender.open(data_dir, embedded=False))
        reactor = Reactor(log, deliveries, read_model, sender, settings.delivery_concurrency)

        async def look() -> Health:
            return Health(reactor.trouble or read_model.trouble, await reactor.lag())

        def measure(metrics: "Metrics") -> None:
            metrics.deliveries(deliveries.queue.counts, reactor.outcomes, len(reactor.open_endpoints))

        delivering = process.share(GROUP, (DECISIONS,), reactor.react_deliver)
        await process.run_unseen(look, read_model.run(), delivering, measure=measure)
