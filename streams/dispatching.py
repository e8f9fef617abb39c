"""Which message goes next, and where to? Follows the queue, fills windows, begins calls, records receipts."""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import structlog

from projections.triggers.files import in_force
from streams.attempts import Attempts, Customers
from streams.deliveries import Deliveries
from streams.delivery_queue import UNROUTED, DeliveryQueue, Entry
from streams.log import Append, Log, LogUnavailable, Producer
from streams.topics import DECISIONS
from streams.windows import NEVER_MS, SIZE, Window

logger = structlog.get_logger(__name__)

GATHER_S = 0.005  # in which receipts come together
LOOK_MS = 20  # between two looks whether the read model has come to a decision
WAIT_S = 60.0
RETRY_S = 1.0
DRAIN_S = 3.0  # for the calls under way, where it is stopped


class Clock(Protocol):
    """The wall clock, in ms since 1970."""

    def now_ms(self) -> int: ...

    async def sleep_until(self, at_ms: int) -> None: ...


class Dispatcher:
    """Delivers with one set of producers, a partition each, until cancelled."""

    def __init__(
        self,
        log: Log,
        deliveries: Deliveries,
        customers: Customers,
        attempts: Attempts,
        clock: Clock,
        producers: Mapping[int, Producer],
        concurrency: int,
    ) -> None:
        self._log = log
        self._deliveries = deliveries
        self._customers = customers
        self._attempts = attempts
        self._clock = clock
        self._producers = producers
        self._concurrency = concurrency
        self._claimed: set[str] = set()  # from the check until the queue knows what became of it
        self._versions: list[str] = []  # of the rules that messages are routed by
        self._receipts: dict[int, list[Append]] = defaultdict(list)
        self._has_receipts = asyncio.Event()
        self._is_recorded = asyncio.Event()  # every receipt
        self._is_recorded.set()
        self._has_moved = asyncio.Event()  # the queue, in a way that the log does not tell of
        self._tasks = asyncio.TaskGroup()
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.windows: dict[str, Window] = {}
        self.trouble = ""  # why no receipt can be recorded at the moment

    async def run(self) -> None:
        """Raises what the log raises, but LogUnavailable of an append, and QueueUnavailable."""
        while await self._read():
            pass
        async with self._tasks:
            self._tasks.create_task(self._record())
            try:
                while True:
                    self._has_moved.clear()
                    has_read = await self._read()
                    await self._route()
                    for window in self.windows.values():
                        await self._fill(window)
                        self._pump(window)
                    if not has_read:
                        await self._pause()
            except asyncio.CancelledError:
                await self._drain()
                raise

    async def _read(self) -> bool:
        """Bring the queue on; whether there was anything to read."""
        told = await self._deliveries.step(self._producers)
        if told is None:
            return False
        self._claimed.difference_update(told.decisions)
        for endpoint in told.endpoints & self.windows.keys():
            self.windows[endpoint].look_at = 0
        return True

    async def _route(self) -> None:
        """Have each trigger's messages go where the rules in force say."""
        rows = self._customers.partitions
        versions = [rows[p].parameters.marketing.version for p in sorted(rows)]
        if versions == self._versions and self.windows:
            return
        rules = [in_force(rows[p].parameters.marketing) for p in sorted(rows)]
        routes = {each.name: each.action.endpoint for rule in rules for each in rule.triggers}
        queue = self._deliveries.queue
        if rows and routes != queue.routes:
            await self._deliveries.ask(partial(DeliveryQueue.route, endpoints=routes))
        for endpoint in {UNROUTED, *queue.routes.values()} - self.windows.keys():
            failing = queue.failing.get(endpoint)
            self.windows[endpoint] = Window(endpoint, 0 if failing is None else failing.failures)
        for window in self.windows.values():
            self._claimed.difference_update(entry.decision_id for entry in window.ready)
            window.ready.clear()
            window.look_at = 0
        self._versions = versions

    async def _fill(self, window: Window) -> None:
        """Claim what is due, where there is room in the window."""
        now_ms = self._clock.now_ms()
        if not window.has_room or now_ms < window.look_at:
            return
        due = partial(DeliveryQueue.due, endpoint=window.endpoint, claimed=self._claimed, limit=SIZE)
        window.look_at = NEVER_MS
        for entry in await self._deliveries.ask(due):
            if entry.next_attempt_at > now_ms:
                window.look_at = min(window.look_at, entry.next_attempt_at)
                break
            if self._attempts.is_known(entry):
                window.ready.append(entry)
                self._claimed.add(entry.decision_id)
            else:
                window.look_at = now_ms + LOOK_MS

    def _pump(self, window: Window) -> None:
        """Begin as many attempts as may be under way."""
        while (
            window.ready
            and window.under_way < self._concurrency
            and window.breaker.may_call(self._clock.now_ms())
            and not self._is_stopping
            and not self.trouble  # what cannot be recorded would be sent again
        ):
            window.under_way += 1
            attempt = self._attempt(window, window.ready.popleft(), is_trial=window.breaker.begin())
            task = self._tasks.create_task(attempt)
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _attempt(self, window: Window, entry: Entry, *, is_trial: bool) -> None:
        outcome = await self._attempts.make(entry, is_trial=is_trial)
        window.breaker.end(self._clock.now_ms(), is_trial=is_trial, failed=outcome.failed)
        window.under_way -= 1
        if outcome.receipts:
            self._receipts[entry.partition] += outcome.receipts
            self._is_recorded.clear()
            self._has_receipts.set()
        else:
            await self._put_off(window, entry, outcome.put_off_to)
        self._pump(window)

    async def _put_off(self, window: Window, entry: Entry, until_ms: int) -> None:
        put_off = partial(DeliveryQueue.put_off, decision_id=entry.decision_id, until_ms=until_ms)
        await self._deliveries.ask(put_off)
        self._claimed.discard(entry.decision_id)
        window.look_at = 0
        self._has_moved.set()

    async def _record(self) -> None:
        """Append what has come together, for ever: a transaction a partition."""
        while True:
            await self._has_receipts.wait()
            await asyncio.sleep(GATHER_S)
            self._has_receipts.clear()
            batches, self._receipts = self._receipts, defaultdict(list)
            appends = (self._append(self._producers[p], batch) for p, batch in batches.items())
            await asyncio.gather(*appends)
            if not self._receipts:
                self._is_recorded.set()

    async def _append(self, producer: Producer, batch: list[Append]) -> None:
        """Retry while the log cannot append, as on a full disk: what was sent must not be sent again."""
        while True:
            try:
                await producer.transact(batch)
            except LogUnavailable as error:
                self.trouble = str(error)
                logger.error("receipts_wait", reason=self.trouble)
                await asyncio.sleep(RETRY_S)
            else:
                if self.trouble:
                    self.trouble = ""
                    self._has_moved.set()
                return

    async def _pause(self) -> None:
        """Until the log, the queue or an endpoint has something new."""
        positions = {(DECISIONS, p): self._deliveries.position(p) for p in self._producers}
        waits: list[Coroutine[Any, Any, object]] = [
            self._log.wait(positions, WAIT_S),
            self._has_moved.wait(),
            self._clock.sleep_until(min(window.wake_at for window in self.windows.values())),
        ]
        tasks = [asyncio.create_task(each) for each in waits]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in tasks:
                each.cancel()

    async def _drain(self) -> None:
        """Let the calls under way end, and record them, for a while."""
        self._is_stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self._under_way:
                    await asyncio.wait(self._under_way)
                await self._is_recorded.wait()
