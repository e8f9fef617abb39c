"""How is a process that serves no data? /healthz, /readyz and /metrics of a worker, an archive or a clock."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from api import answers, problems
from api.guard import guard
from api.head import HeadAsGet
from api.metrics import Metrics
from api.problems import Problem
from api.routes.operations import Ready, healthz
from streams.log import LogUnavailable
from streams.settings import Settings

LOOK_S = 2.0


class Health(NamedTuple):
    """Why a process is not ready ("" if it is), and what it has yet to take in, by topic/partition."""

    trouble: str
    lag: Mapping[str, int]


def create_health(
    settings: Settings,
    follower: str,
    look: Callable[[], Awaitable[Health]],
    measure: Callable[[Metrics], None] = lambda _: None,
) -> FastAPI:
    """The application of a process; `follower` is its name in the metrics, `measure` adds some of its own.

    Raises ValueError for settings that no API is served with.
    """
    app = FastAPI(title=f"Headwater {follower}", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.metrics = metrics = Metrics()
    problems.install(app)
    app.get("/healthz")(healthz)

    async def looked() -> Health:
        try:
            async with asyncio.timeout(LOOK_S):
                return await look()
        except (TimeoutError, LogUnavailable) as error:
            return Health(str(error) or f"Kafka gives no answer in {LOOK_S:.0f} s", {})

    @app.get("/readyz")
    async def readyz() -> Response:
        trouble, lag = await looked()
        if trouble:
            raise Problem(503, f"Not ready: {trouble}.", headers={"Retry-After": "1"}, lag=dict(lag))
        return answers.answer(Ready("ready", dict(lag)))

    @app.get("/metrics")
    async def measured(_request: Request) -> Response:
        trouble, lag = await looked()
        metrics.lag(follower, lag)
        metrics.set(ready=float(not trouble))
        measure(metrics)
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    guard(app, settings, metrics)
    app.add_middleware(HeadAsGet)
    return app
