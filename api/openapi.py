"""What does /openapi.json say beyond the routes? The shapes of bodies and answers, and every problem."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.event_schema import EXAMPLES, event_schemas
from api.keys import COOKIE, HEALTH, REGISTRY
from api.problems import PROBLEM_JSON, FieldError

Json = dict[str, Any]
REF = "#/components/schemas/{name}"

DESCRIPTION = """Every customer interaction is an event on a log; this is where events are appended, and where
what they mean can be asked: profile, lifecycle stage, RFM, at once and live.

Times are RFC 3339 in UTC. Money is a decimal string beside an ISO 4217 `currency`. Errors are
`application/problem+json` (RFC 9457) whose `detail` says what to do. Lists page with `limit` and an opaque
`cursor`."""

TAGS = [
    {"name": "events", "description": "What happened."},
    {"name": "customers", "description": "Who each customer is now."},
    {"name": "overview", "description": "How all customers are doing, and how that changes."},
    {"name": "triggers", "description": "Who is told of what, what was decided of whom, and why."},
    {"name": "history", "description": "SQL over everything that ever happened."},
    {
        "name": "registry",
        "description": "The Avro schemas of the log, in the Confluent Schema Registry's shape.",
    },
    {"name": "operations", "description": "Whether the engine is well."},
    {"name": "loads", "description": "Files of events, appended in chunks that resume."},
    {"name": "operation", "description": "What the command line asks of a running engine."},
]

PROBLEMS = {
    400: "The body is not JSON.",
    401: "The key is not shown: `WWW-Authenticate` says how to.",
    403: "A page of another site asks.",
    404: "There is no such thing.",
    409: "The state of the engine does not allow it.",
    413: "More than one request may hold.",
    415: "The body is not `application/json`.",
    421: "The Host header names another host.",
    422: "Something in the request cannot be: `errors` says what, field by field.",
    503: "Not now: `detail` says when.",
}

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "From /sign-in."},
    "basic": {"type": "http", "scheme": "basic", "description": "The key as password of any user."},
}


class ProblemBody(msgspec.Struct):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | msgspec.UnsetType = msgspec.UNSET


_components: dict[str, Json] = {}


def described(*answers: tuple[int, str, Any] | int) -> dict[int | str, Json]:
    """What a route answers: (status, description, shape) for a success, the status alone for a problem.

    A shape is a type, None for no JSON, or a media type with its schema left open.
    """
    responses: dict[int | str, Json] = {}
    for each in answers:
        if isinstance(each, int):
            responses[each] = {
                "description": PROBLEMS[each],
                "content": {PROBLEM_JSON: {"schema": _ref(ProblemBody)}},
            }
        else:
            status, description, shape = each
            content = {shape: {}} if isinstance(shape, str) else {"application/json": {"schema": _ref(shape)}}
            responses[status] = {"description": description, "content": content}
    return responses


def json_body(schema: Json, examples: Json) -> Json:
    """The openapi_extra of a route that reads its body itself."""
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


def event_body() -> Json:
    event = {"$ref": REF.format(name="Event")}
    return json_body({"anyOf": [event, {"type": "array", "maxItems": 1_000, "items": event}]}, EXAMPLES)


def path_parameter(name: str, schema: Json, description: str) -> Json:
    """The openapi_extra of a hot route that reads its path itself."""
    parameter = {"name": name, "in": "path", "required": True, "schema": schema, "description": description}
    return {"parameters": [parameter]}


def install(app: FastAPI, *, asks_for_key: bool = False) -> None:
    """Let `app` describe itself with these shapes."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=DESCRIPTION, tags=TAGS, routes=app.routes
            )
            components = schema.setdefault("components", {}).setdefault("schemas", {})
            for theirs in ("HTTPValidationError", "ValidationError"):
                components.pop(theirs, None)
            for operation in (each for path in schema["paths"].values() for each in path.values()):
                if "422" in operation["responses"]:
                    operation["responses"]["422"] = described(422)[422]
                operation["responses"]["421"] = described(421)[421]
            components |= _components | event_schemas()
            if asks_for_key:
                _ask_for_key(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's way of extending it


def _ask_for_key(schema: Json) -> None:
    schema["components"]["securitySchemes"] = SECURITY_SCHEMES
    for path, operations in schema["paths"].items():
        if path in HEALTH:
            continue
        ways = ["bearer", "session", *(["basic"] if path.startswith(REGISTRY) else [])]
        for operation in operations.values():
            operation["security"] = [{way: []} for way in ways]
            operation["responses"]["401"] = described(401)[401]


def _ref(shape: Any) -> Json:
    (schema,), components = msgspec.json.schema_components([shape], ref_template=REF)
    _components.update(components)
    return dict(schema)
