"""GET /registry: which schema has which id? Read-only, in the Confluent Schema Registry's shape.

It tells the ids that are in force, the built-in registry's or an external one's, so that whoever reads the
log needs no other address. It has what deserializers, serializers that do not register, and UIs ask for.
"""

from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from api import answers
from api.bodies import JSON, require_json
from api.openapi import described, json_body
from api.problems import Problem
from schemas import registry
from schemas.registry import Registered, UnknownSchema

# The codes of Confluent's own answers, which its clients understand
SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND, INVALID_SCHEMA = 40401, 40402, 40403, 42201

CONFLUENT_JSON = "application/vnd.schemaregistry.v1+json"  # no page of another origin can send it

router = APIRouter(prefix="/registry", tags=["registry"])


class SchemaText(Struct):
    schema: str


class WantedSchema(Struct):
    schema: str


class SchemaVersion(Struct):
    subject: str
    version: int


class Compatibility(Struct):
    compatibilityLevel: str = "BACKWARD"  # noqa: N815  # Confluent's name


class Mode(Struct):
    mode: str = "READONLY"


class SubjectVersion(Struct):
    subject: str
    id: int
    version: int
    schema: str


@router.get(
    "/subjects",
    summary="All subjects",
    responses=described((200, "Their names.", list[str])),
)
async def subjects() -> Response:
    """One subject an event: its record's full name."""
    return answers.answer(registry.subjects())


@router.get(
    "/subjects/{subject}/versions",
    summary="The versions of a subject",
    responses=described((200, "Ascending.", list[int]), 404),
)
async def versions(subject: str) -> Response:
    """A change of an event is a new version; published ones never change."""
    try:
        return answers.answer(registry.versions(subject))
    except UnknownSchema as unknown:
        raise _missing(unknown, SUBJECT_NOT_FOUND) from unknown


@router.get(
    "/subjects/{subject}/versions/{version}",
    summary="One version of a subject",
    responses=described((200, "With its id and its Avro schema as text.", SubjectVersion), 404, 422),
)
async def version(subject: str, version: int | Literal["latest"]) -> Response:
    """`latest` is a version too."""
    try:
        registry.versions(subject)
    except UnknownSchema as unknown:
        raise _missing(unknown, SUBJECT_NOT_FOUND) from unknown
    try:
        found = registry.lookup(subject, version)
    except UnknownSchema as unknown:
        raise _missing(unknown, VERSION_NOT_FOUND) from unknown
    return answers.answer(_described(found))


@router.post(
    "/subjects/{subject}",
    summary="Look a schema up",
    responses=described((200, "With its id and version.", SubjectVersion), 404, 415, 422),
    openapi_extra=json_body(
        {"type": "object", "required": ["schema"], "properties": {"schema": {"type": "string"}}},
        {"a schema": {"value": {"schema": '{"type": "record", "name": "OrderPlaced", "fields": []}'}}},
    ),
)
async def lookup(subject: str, request: Request) -> Response:
    """For writers that do not register: which id has this schema? The docs in it make no difference."""
    require_json(request, (JSON, CONFLUENT_JSON))
    try:
        known = [registry.lookup(subject, version) for version in registry.versions(subject)]
    except UnknownSchema as unknown:
        raise _missing(unknown, SUBJECT_NOT_FOUND) from unknown
    try:
        wanted = msgspec.json.decode(
            msgspec.json.decode(await request.body(), type=WantedSchema).schema, type=dict[str, object]
        )
    except (msgspec.DecodeError, RecursionError) as error:
        detail = f"The body must be an object whose schema is that of an Avro record, as text: {error}."
        raise Problem(422, detail, error_code=INVALID_SCHEMA, message=detail) from error
    for entry in reversed(known):
        if registry.fingerprint(entry.schema) == registry.fingerprint(wanted):
            return answers.answer(_described(entry))
    raise _missing(UnknownSchema(f"{subject} has no such schema: its versions have others"), SCHEMA_NOT_FOUND)


@router.get(
    "/schemas/ids/{schema_id}",
    summary="The schema with an id",
    responses=described((200, "The Avro schema as text.", SchemaText), 404, 422),
)
async def schema(schema_id: int) -> Response:
    """The id is in bytes 1 to 4 of each record's value."""
    try:
        return answers.answer(SchemaText(_text(registry.schema(schema_id))))
    except UnknownSchema as unknown:
        raise _missing(unknown, SCHEMA_NOT_FOUND) from unknown


@router.get(
    "/schemas/ids/{schema_id}/versions",
    summary="Where an id is used",
    responses=described((200, "One version of one subject.", list[SchemaVersion]), 404, 422),
)
async def used(schema_id: int) -> Response:
    """Each id is one version of one subject."""
    try:
        found = registry.by_id(schema_id)
    except UnknownSchema as unknown:
        raise _missing(unknown, SCHEMA_NOT_FOUND) from unknown
    return answers.answer([SchemaVersion(found.subject, found.version)])


@router.get(
    "/schemas/types", summary="Kinds of schemas", responses=described((200, "Avro alone.", list[str]))
)
async def types() -> Response:
    """Every event is Avro."""
    return answers.answer(["AVRO"])


@router.get(
    "/config", summary="How versions change", responses=described((200, "For all subjects.", Compatibility))
)
async def config() -> Response:
    """A new version reads what the one before wrote."""
    return answers.answer(Compatibility())


@router.get(
    "/config/{subject}",
    summary="How versions of a subject change",
    responses=described((200, "As all do.", Compatibility), 404),
)
async def config_of(subject: str) -> Response:
    """A new version reads what the one before wrote."""
    try:
        registry.versions(subject)
    except UnknownSchema as unknown:
        raise _missing(unknown, SUBJECT_NOT_FOUND) from unknown
    return answers.answer(Compatibility())


@router.get("/mode", summary="Who may write", responses=described((200, "Nobody.", Mode)))
async def mode() -> Response:
    """Schemas are published with Headwater itself."""
    return answers.answer(Mode())


def _described(found: Registered) -> SubjectVersion:
    return SubjectVersion(found.subject, found.id, found.version, _text(found.schema))


def _text(schema: dict[str, Any]) -> str:
    return msgspec.json.encode(schema).decode()


def _missing(unknown: UnknownSchema, code: int) -> Problem:
    text = str(unknown)
    return Problem(404, f"{text[0].upper()}{text[1:]}.", error_code=code, message=text)
