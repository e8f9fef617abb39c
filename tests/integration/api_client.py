"""What do the tests of the HTTP calls share? A running engine with its read model, and a client."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, cast

import httpx2
import pyarrow as pa
import uvicorn
from fastapi import FastAPI

from api.app import create_api
from api.live import Live
from api.models import Models
from api.read_model import ReadModel
from api.services import Services
from history import report_files, reporting
from history.catalogue import Schema, Table
from history.decisions import Activity, Decision, Endpoint, Wanted
from history.guard import QueryRefused
from history.own import BadForm, Form
from history.own_answer import Explanation, Own
from history.report_files import Found
from history.report_values import values
from history.saved import SavedQuery, SavedReport
from history.sql import Answer, Column
from history.store import History
from history.timeline import BadCursor, Page
from projections.triggers.uplift import Arm
from streams.deliveries import Deliveries
from streams.engine import Engine
from streams.learner import CHECKPOINT, Learner
from streams.topics import CUSTOMERS, TRANSITIONS
from tests.integration.engines import settings_for

BASE = "http://localhost:8000"


WAITING = Decision(
    **dict.fromkeys(Decision.__struct_fields__)  # type: ignore[arg-type]
    | {
        "decision_id": "00000000-0000-4000-8000-00000000000d",
        "transition_id": "00000000-0000-4000-8000-00000000000e",
        "customer_id": "ada",
        "trigger": "win-back",
        "rules_version": "v1",
        "kind": "stage",
        "about": "",
        "transition_at": 0,
        "decided_at": 0,
        "verdict": "waiting",
        "waits_for": "review",
        "reason": "waits for a person's yes",
        "inputs": {},
        "attempts": 0,
        "partition": 0,
        "offset": 0,
    }
)


class FakeHistory:
    """Answers as the history does, without a ClickHouse."""

    async def sql(self, query: str, parameters: Mapping[str, object], max_rows: int) -> Answer:
        if query != "SELECT 1":
            raise QueryRefused("This is not a read: write one SELECT.")
        return Answer([Column("1", "UInt8")], [[1]][:max_rows], 0.1, False)

    async def saved_reports(self) -> list[SavedReport]:
        return []

    async def saved_queries(self) -> list[SavedQuery]:
        return []

    async def checked(self, query: str) -> None:
        raise QueryRefused("This is not a read: write one SELECT.")

    async def own(self, own: Own, as_of_ms: int, timezone: str) -> reporting.Answer:
        raise BadForm("There is no module: use orders.", "from")

    async def explain(self, form: Form, as_of_ms: int, timezone: str) -> Explanation:
        raise BadForm("There is no module: use orders.", "from")

    async def schema(self) -> Schema:
        return Schema([Table("events", "view", "What happened.", [], [])])

    async def reports(self) -> Found:
        return report_files.discover()

    async def report(
        self, name: str, given: Mapping[str, object], as_of_ms: int, timezone: str
    ) -> reporting.Answer:
        report = reporting.chosen(name)
        reporting.check(as_of_ms, timezone)
        parameters = values(report.parameters, given)
        empty = pa.table({column.name: pa.array([], pa.string()) for column in report.columns})
        note = "No data yet: there is no ClickHouse."
        return reporting.Answer(report, as_of_ms, timezone, "USD", parameters, empty, note, [], 0.1, False)

    async def timeline(self, customer_id: str, limit: int, cursor: str | None) -> Page:
        if cursor is not None:
            raise BadCursor("The cursor is none that a page gave: leave it out to start.")
        return Page([{"type": "OrderPlaced", "customer_id": customer_id}][:limit], None)

    async def prediction(self, customer_id: str, target: str, about: str, before_ms: int) -> None:
        """Nothing has ended."""

    async def decisions(self, wanted: Wanted, limit: int) -> list[Decision]:
        return [WAITING][:limit]

    async def steps(self, of: Sequence[Decision]) -> dict[str, list[dict[str, object]]]:
        return {each.decision_id: [{"type": "DecisionDeferred"}] for each in of}

    async def activity(self, verdicts_since_ms: int, failing_since_ms: int) -> Activity:
        return Activity(
            {("win-back", "send"): 1}, {}, [Endpoint("https://crm.example.org", 2, 1, "HTTP 503")]
        )

    async def arms(self, trigger: str, goal: str, outcome_days: int, as_of_ms: int) -> tuple[Arm, Arm]:
        return Arm(0, 0), Arm(0, 0)


NO_CLICKHOUSE = cast(History, FakeHistory())


@dataclass
class Api:
    """A running engine and a client of its API."""

    services: Services
    app: FastAPI
    client: httpx2.AsyncClient
    learner: Learner

    async def post(self, *events: dict[str, Any], status: int = 202) -> Any:
        """Post events (one as itself, several as a list) and wait until they show."""
        answer = await self.client.post("/events", json=events[0] if len(events) == 1 else list(events))
        assert answer.status_code == status, answer.text
        await self.settled()
        return answer.json()

    async def get(self, path: str, status: int = 200, **query: object) -> Any:
        answer = await self.client.get(path, params={k.rstrip("_"): str(v) for k, v in query.items()})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def settled(self) -> None:
        """Return once everything on the log shows in every answer."""
        engine = cast(Engine, self.services.engine)
        await engine.caught_up()
        for topic in (CUSTOMERS, TRANSITIONS):
            await self.services.read_model.wait_for(topic, await self.services.log.end_offsets(topic))


@asynccontextmanager
async def api_over(path: Path, history: History = NO_CLICKHOUSE, **changes: object) -> AsyncIterator[Api]:
    """The API over an engine on event time in `path`, alone with what the test says."""
    settings = settings_for(path, **{"partitions": 2} | changes)
    async with Engine.open(settings) as engine:
        read_model = await ReadModel.open(path / "read_model.db", engine.log)
        models = Models(engine.log)
        live = Live(read_model, engine.log, models)
        deliveries = await Deliveries.open(path, engine.log)
        services = Services(settings, engine.log, engine, read_model, live, history, models, deliveries)
        learner = Learner(engine.log, engine.log.append, path / CHECKPOINT, champion=settings.champion)
        following = (read_model.run(), models.run(), learner.run(), deliveries.run())
        work = [asyncio.create_task(each) for each in following]
        app = create_api(services)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
            yield Api(services, app, client, learner)
        live.close()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await deliveries.close()
        await read_model.close()


def order(
    customer_id: str, amount: str = "25.00", at: str = "1998-01-01T00:00:00Z", **more: object
) -> dict[str, Any]:
    """An order to post."""
    placed = {"type": "OrderPlaced", "customer_id": customer_id, "order_id": f"{customer_id}-{at}-{amount}"}
    return placed | {"amount": amount, "currency": "USD", "occurred_at": at} | more


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of an engine with one customer, served on loopback by a thread of its own."""
    started = Future[uvicorn.Server]()
    thread = Thread(target=lambda: asyncio.run(_serve(path, started)), daemon=True)
    thread.start()
    server = started.result(60)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


async def _serve(path: Path, started: "Future[uvicorn.Server]") -> None:
    async with api_over(path) as api:
        await api.post(order("ada"))
        server = uvicorn.Server(uvicorn.Config(api.app, port=0, log_level="warning", ws="none"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        started.set_result(server)
        await serving
