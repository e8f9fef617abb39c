"""GET /healthz, /readyz, /metrics: is the engine alive, is it ready, and how is it doing?"""

import asyncio

from fastapi import APIRouter, Request
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from api import answers
from api.openapi import described
from api.problems import Problem
from api.services import Services, Used

READ_MODEL_BEHIND = 5_000  # records
LOOK_S = 2.0

router = APIRouter(tags=["operations"])


class Alive(Struct):
    status: str


class Ready(Struct):
    status: str
    lag: dict[str, int]


@router.get("/healthz", summary="Alive", responses=described((200, "The process answers.", Alive)))
async def healthz() -> Response:
    """For a supervisor: restart the process if this does not answer."""
    return answers.answer(Alive("alive"))


@router.get(
    "/readyz",
    summary="Caught up and not rebalancing",
    responses=described((200, "Answers are current.", Ready), 503),
)
async def readyz(services: Used) -> Response:
    """For a load balancer: 503, with the records behind by partition, while answers would be old."""
    try:
        async with asyncio.timeout(LOOK_S):
            trouble, lag = await _trouble(services)
    except TimeoutError:
        trouble, lag = f"the log gives no answer in {LOOK_S:.0f} s", {}
    if trouble:
        raise Problem(503, f"Not ready: {trouble}.", headers={"Retry-After": "1"}, lag=lag)
    return answers.answer(Ready("ready", lag))


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses=described((200, "In Prometheus' text format.", "text/plain")),
)
async def metrics(request: Request, services: Used) -> Response:
    """Requests, lags, customers, and the process's own."""
    measured = request.app.state.metrics
    status = await services.engine.status()
    measured.lag("projections", status.lag)
    measured.lag("read_model", await services.read_model.lag())
    models = services.models
    measured.models(models.measures(), models.failures, models.drift_count)
    measured.lag("deliveries", await services.deliveries.lag())
    reactor, counts = services.reactor, services.deliveries.queue.counts
    if reactor is None:
        measured.deliveries(counts, {}, 0)
    else:
        measured.deliveries(counts, reactor.outcomes, len(reactor.open_endpoints))
    totals = services.read_model.totals()
    measured.set(
        ready=float(status.ready),
        customers=totals.customers,
        events_folded=totals.events,
        stream_time_seconds=(services.read_model.as_of_ms() or 0) / 1000,
        live_followers=services.live.followers,
    )
    return Response(measured.text(), media_type=CONTENT_TYPE_LATEST)


async def _trouble(services: Services) -> tuple[str, dict[str, int]]:
    """Why not ready ("" if ready), and the lag of the projections and the read model together."""
    status = await services.engine.status()
    if not status.ready:
        return status.reason, status.lag
    behind = await services.read_model.lag()
    lag = dict(status.lag) | behind
    if trouble := services.read_model.trouble or services.models.trouble:
        return trouble, lag
    if sum(behind.values()) > READ_MODEL_BEHIND:
        return f"the read model has {sum(behind.values()):,} records still to take in; wait", lag
    return "", lag
