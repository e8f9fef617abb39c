"""What does a caller get who asks for something that cannot be done? An RFC 9457 problem, with the remedy."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from history.client import HistoryUnavailable
from history.guard import QueryRefused
from history.report_values import BadParameter
from history.sql import QueryStopped
from streams.log import LogUnavailable

log = structlog.get_logger()

PROBLEM_JSON = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """One fault of a body that may have several: `index` counts the events of a list from 0."""

    index: int
    field: str
    detail: str


class Problem(Exception):
    """An answer other than success. `members` are extensions of the problem's JSON object."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.members = members

    def response(self) -> Response:
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        return Response(
            msgspec.json.encode({**body, **self.members}),
            status_code=self.status,
            media_type=PROBLEM_JSON,
            headers=dict(self.headers or {}),
        )


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""

    @app.exception_handler(Problem)
    async def known(_request: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(HistoryUnavailable)
    async def no_history(_request: Request, error: HistoryUnavailable) -> Response:
        return Problem(503, f"{error}.", headers={"Retry-After": "5"}).response()

    @app.exception_handler(LogUnavailable)
    async def no_log(_request: Request, error: LogUnavailable) -> Response:
        return Problem(503, str(error), headers={"Retry-After": "1"}).response()

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        return Problem(error.status_code, _routing_detail(request, error), headers=error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        faults = [
            FieldError(0, ".".join(map(str, fault["loc"][1:])) or str(fault["loc"][0]), _said(fault))
            for fault in error.errors()
        ]
        detail = (
            f"{faults[0].field}: {faults[0].detail}. The calls and their parameters are described at /docs."
        )
        return Problem(422, detail, errors=faults).response()

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("request_failed", method=request.method, path=request.url.path, error=repr(error))
        return Problem(500, "The engine failed at this request: its log on stderr says why.").response()


def _said(fault: Mapping[str, object]) -> str:
    return f"{fault['msg']}, not {str(fault['input'])[:80]!r}"


def _routing_detail(request: Request, error: HTTPException) -> str:
    path = request.url.path
    if error.status_code == 404:
        return f"There is nothing at {path}: the calls are listed at /docs."
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{path} does not answer {request.method}: use {allowed}."
    return str(error.detail)


def refusal(refused: BadParameter | QueryRefused | QueryStopped) -> Problem:
    """What cannot be answered, as a problem that names the parameter."""
    match refused:
        case BadParameter(name=field) | QueryRefused(field=field):
            pass
        case _:
            field = "query"
    return Problem(422, str(refused), errors=[FieldError(0, field[:80], str(refused))])
