"""POST /triggers: other segments and triggers, checked before they are in force."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import Struct
from starlette.responses import Response

from api import answers
from api.bodies import read_json
from api.openapi import described, json_body
from api.parameters import refuse_unknown
from api.problems import Problem
from api.services import Used
from projections.triggers.files import BadTriggers, in_force
from streams.log import LogUnavailable
from streams.receivers import check_receivers
from streams.wanted import marketing_of

router = APIRouter(tags=["triggers"])

EXAMPLE = {
    "segments": '[[segment]]\nname = "regulars"\nwhere = "orders.count >= 3"\n',
    "triggers": '[[trigger]]\nname = "win-back"\non = { change = "stage", to = "at_risk" }\n'
    'action = { topic = "headwater.messages" }\nconsent = "none"\nholdout = 0.1\n',
}


class RulesBody(Struct, forbid_unknown_fields=True):
    """Both files, as text; an empty one has none."""

    segments: str
    triggers: str


class RulesAnswer(Struct):
    """What is in force, or would be (`dry_run`)."""

    version: str
    segments: list[str]
    triggers: list[str]
    dry_run: bool


@router.post(
    "/triggers",
    summary="Put other segments and triggers in force",
    responses=described((200, "They are in force.", RulesAnswer), 400, 413, 415, 422, 503),
    openapi_extra=json_body(
        {
            "type": "object",
            "required": ["segments", "triggers"],
            "additionalProperties": False,
            "properties": {"segments": {"type": "string"}, "triggers": {"type": "string"}},
        },
        {"both": {"value": EXAMPLE}},
    ),
)
async def post_triggers(
    request: Request,
    services: Used,
    dry_run: Annotated[bool, Query(description="Only check them.")] = False,
) -> Response:
    """Check both files and put them in force, or say which line is wrong and leave what is in force."""
    refuse_unknown(request, {"dry_run"})
    try:
        body = msgspec.convert(await read_json(request), RulesBody)
        marketing = marketing_of(body.segments, body.triggers, services.settings)
        await check_receivers(marketing, services.settings)
    except msgspec.ValidationError as error:
        raise Problem(422, f"{error}: send the texts segments and triggers.") from error
    except BadTriggers as error:
        raise Problem(422, f"{error} The rules in force are unchanged.") from error
    if not dry_run:
        try:
            await services.engine.set_marketing(marketing)
        except LogUnavailable as error:
            raise Problem(503, f"{error} Send them again.", headers={"Retry-After": "1"}) from error
    rules = in_force(marketing)
    segments, triggers = [each.name for each in rules.segments], [each.name for each in rules.triggers]
    return answers.answer(RulesAnswer(marketing.version, segments, triggers, dry_run))
