"""How do the parts become one application?"""

import asyncio

from fastapi import FastAPI

from api import doctor, loads, openapi, operate, problems
from api.guard import guard
from api.head import HeadAsGet
from api.metrics import Metrics
from api.routes import (
    customers,
    decisions,
    deliveries,
    events,
    history,
    models,
    operations,
    overview,
    own,
    registry,
    reports,
    rules,
    saved,
    segments,
    triggers,
)
from api.services import Services
from api.web import routes as web
from api.web import sign_in


def create_api(services: Services) -> FastAPI:
    """The HTTP API and the dashboard over open services.

    Raises ValueError for settings that `access.check` refuses. The caller runs `services.read_model.run()`
    beside it, and calls `services.live.close()` before it waits for connections to end.
    """
    app = FastAPI(title="Headwater", version="0.1.0", docs_url=None, redoc_url=None)
    app.state.services = services
    app.state.metrics = metrics = Metrics()
    app.state.saving = asyncio.Lock()  # so that each version of a report has a number of its own
    app.state.key = key = guard(app, services.settings, metrics)
    app.add_middleware(HeadAsGet)
    problems.install(app)
    openapi.install(app, asks_for_key=key is not None)
    for group in (
        events,
        customers,
        overview,
        history,
        own,
        reports,
        saved,
        models,
        rules,
        triggers,
        segments,
        decisions,
        deliveries,
        registry,
        operations,
        operate,
        doctor,
        loads,
        web,
    ):
        app.include_router(group.router)
    web.mount_static(app)
    if key is not None:
        app.include_router(sign_in.router)
    return app
