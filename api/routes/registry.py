"""GET /registry: which schema has which id? Read-only, in the Confluent Schema Registry's shape."""

from typing import Literal

import msgspec
from fastapi import APIRouter
from msgspec import Struct
from starlette.responses import Response

from api import answers
from api.openapi import described
from api.problems import Problem
from schemas import registry
from schemas.registry import Registered, UnknownSchema

# The codes of Confluent's own answers, which its clients understand
SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND = 40401, 40402, 40403

router = APIRouter(prefix="/registry", tags=["registry"])


class SchemaText(Struct):
    schema: str


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
    return answers.answer(SubjectVersion(found.subject, found.id, found.version, _text(found)))


@router.get(
    "/schemas/ids/{schema_id}",
    summary="The schema with an id",
    responses=described((200, "The Avro schema as text.", SchemaText), 404, 422),
)
async def schema(schema_id: int) -> Response:
    """The id is in bytes 1 to 4 of each record's value."""
    try:
        return answers.answer(SchemaText(_text(registry.by_id(schema_id))))
    except UnknownSchema as unknown:
        raise _missing(unknown, SCHEMA_NOT_FOUND) from unknown


def _text(found: Registered) -> str:
    return msgspec.json.encode(found.schema).decode()


def _missing(unknown: UnknownSchema, code: int) -> Problem:
    text = str(unknown)
    return Problem(404, f"{text[0].upper()}{text[1:]}.", error_code=code, message=text)
