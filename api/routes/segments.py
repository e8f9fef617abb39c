"""GET /segments, POST /segments/preview: who is in which segment, and who would be in a new one?"""

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api import answers
from api.bodies import read_as
from api.marketing import SegmentsBody, segment_body
from api.openapi import described, json_body
from api.preview import Preview, PreviewStopped
from api.problems import FieldError, Problem
from api.services import Used
from projections.triggers.expressions import MAX_LENGTH, BadExpression, compiled
from projections.triggers.files import in_force

router = APIRouter(tags=["triggers"])


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An expression to try."""

    expression: str


BODY = json_body(
    {
        "type": "object",
        "properties": {
            "expression": {
                "type": "string",
                "maxLength": MAX_LENGTH,
                "description": "CEL over a customer; docs/triggers.md lists the variables.",
            }
        },
        "required": ["expression"],
        "additionalProperties": False,
    },
    {"vip": {"value": {"expression": "orders.count >= 5 && lifecycle.stage == 'active'"}}},
)


@router.get(
    "/segments",
    summary="The segments in force, and how many customers are in each",
    responses=described((200, "Each segment.", SegmentsBody)),
)
async def list_segments(services: Used) -> Response:
    """As segments.toml has them. `GET /customers?segment=NAME` lists who is in one."""
    counts = services.read_model.totals().segments
    segments = in_force(services.read_model.parameters().marketing).segments
    return answers.answer(SegmentsBody([segment_body(each, counts[each.name]) for each in segments]))


@router.post(
    "/segments/preview",
    summary="Count and sample the customers of whom an expression is true",
    responses=described((200, "How many, and some of them.", Preview), 400, 413, 415, 422),
    openapi_extra=BODY,
)
async def post_preview(request: Request, services: Used) -> Response:
    """Tried on every customer as of now, before it is saved; stopped after 10 s.

    `failed` are customers for whom it has no answer: the first error says why.
    """
    asked = await read_as(request, Asked, '{"expression": "orders.count > 3"}')
    try:
        return answers.answer(await services.read_model.preview(compiled(asked.expression)))
    except (BadExpression, PreviewStopped) as error:
        faults = [FieldError(0, "expression", str(error))]
        raise Problem(422, f"{error}.", errors=faults) from error
