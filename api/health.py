"""How is a process that serves no data? /healthz, /readyz and /metrics of a worker, an archive or a clock."""

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
from streams.settings import Settings


class Health(NamedTuple):
    """Why a process is not ready ("" if it is), and what it has yet to take in, by topic/partition."""

    trouble: str
    lag: Mapping[str, int]


def create_health(settings: Settings, follower: str, look: Callable[[], Awaitable[Health]]) -> FastAPI:
    """The application of a process; `follower` is its name in the metrics.

    Raises ValueError for settings that no API is served with.
    """
    app = FastAPI(title=f"Headwater {follower}", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.metrics = metrics = Metrics()
    problems.install(app)
    app.get("/healthz")(healthz)

    @app.get("/readyz")
    async def readyz() -> Response:
        trouble, lag = await look()
        if trouble:
            raise Problem(503, f"Not ready: {trouble}.", headers={"Retry-After": "1"}, lag=dict(lag))
        return answers.answer(Ready("ready", dict(lag)))

    @app.get("/metrics")
    async def measured(_request: Request) -> Response:
        trouble, lag = await look()
        metrics.lag(follower, lag)
        metrics.set(ready=float(not trouble))
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    guard(app, settings, metrics)
    app.add_middleware(HeadAsGet)
    return app
