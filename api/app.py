"""How do the parts become one application?"""

from fastapi import FastAPI

from api import doctor, loads, openapi, operate, problems
from api.access import HostCheck, require_loopback
from api.head import HeadAsGet
from api.metrics import Measure, Metrics
from api.routes import customers, events, history, operations, overview, registry
from api.services import Services
from api.web import routes as web


def create_api(services: Services) -> FastAPI:
    """The HTTP API and the dashboard over open services. Raises ValueError for a host not of this machine.

    The caller runs `services.read_model.run()` beside it, and calls `services.live.close()` before it waits
    for connections to end.
    """
    require_loopback(services.settings.host)
    app = FastAPI(title="Headwater", version="0.1.0", docs_url=None, redoc_url=None)
    app.state.services = services
    app.state.metrics = Metrics()
    problems.install(app)
    openapi.install(app)
    for group in (events, customers, overview, history, registry, operations, operate, doctor, loads, web):
        app.include_router(group.router)
    web.mount_static(app)
    app.add_middleware(HostCheck, configured=services.settings.host)
    app.add_middleware(Measure, metrics=app.state.metrics)
    app.add_middleware(HeadAsGet)
    return app
