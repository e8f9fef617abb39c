"""The dashboard: what does a person see of the engine in a browser?"""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.responses import Response
from starlette.types import Scope

HERE = Path(__file__).parent

# Everything a page needs comes from this engine, and nothing in a page is executable text: a trait that holds
# HTML is shown, never run. Pico and Swagger UI draw their icons from data: images.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


def asks_for_key(request: Request) -> dict[str, bool]:
    """Whether a page is one that somebody signed in for."""
    return {"asks_for_key": getattr(request.app.state, "key", None) is not None}


templates = Jinja2Templates(HERE / "templates", context_processors=[asks_for_key])


def page(request: Request, template: str, **context: object) -> HTMLResponse:
    return templates.TemplateResponse(request, template, context, headers=SECURITY_HEADERS)


@router.get("/")
async def dashboard(request: Request) -> HTMLResponse:
    """All customers at a glance, live."""
    return page(request, "dashboard.html")


@router.get("/ui/customers/{customer_id:path}")
async def customer(request: Request, customer_id: str) -> HTMLResponse:
    """One customer, live; the page itself says when no event names that customer."""
    return page(request, "customer.html", customer_id=customer_id)


@router.get("/ui/models")
async def models(request: Request) -> HTMLResponse:
    """What is predicted, by which model, and how good it is."""
    return page(request, "models.html")


@router.get("/ui/triggers")
async def triggers(request: Request) -> HTMLResponse:
    """Who is told of what, what was decided, and what waits for a person."""
    return page(request, "triggers.html")


@router.get("/ui/reports")
async def reports(request: Request) -> HTMLResponse:
    """Every report, by the question it answers."""
    return page(request, "reports.html")


@router.get("/ui/reports/new")
async def new_report(request: Request) -> HTMLResponse:
    """A report of one's own, from measures, dimensions and filters; so no report can be named `new`."""
    return page(request, "new_report.html")


@router.get("/ui/reports/{name:path}")
async def report(request: Request, name: str) -> HTMLResponse:
    """One report, asked with the parameters of the address; the page itself says when there is none."""
    return page(request, "report.html", name=name)


@router.get("/ui/sql")
async def sql(request: Request) -> HTMLResponse:
    """A statement over the history, beside the tables that it may read."""
    return page(request, "sql.html")


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The OpenAPI pages, from vendored files, so that they work with no network."""
    return page(request, "docs.html")


class Assets(StaticFiles):
    """Static files that browsers revalidate, so that no page runs an older version's scripts."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(SECURITY_HEADERS)
        return response


def mount_static(app: FastAPI) -> None:
    """Serve the scripts, styles and fonts of the pages under /static/."""
    app.mount("/static", Assets(directory=HERE / "static"), name="static")
