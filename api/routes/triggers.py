"""GET /triggers…: which rules are in force, how are they doing, and what do they bring?"""

from fastapi import APIRouter
from starlette.responses import Response

from api import answers
from api.marketing import TriggerBody, TriggersBody, UpliftBody, trigger_body, triggers_body, uplift_body
from api.openapi import described
from api.problems import Problem
from api.services import Services, Used
from history.decisions import Activity
from projections.times import DAY_MS
from projections.triggers.files import in_force
from projections.triggers.rules import Rules, Trigger

HOUR_MS = DAY_MS // 24

router = APIRouter(tags=["triggers"])


@router.get(
    "/triggers",
    summary="The triggers in force, and how they are doing",
    responses=described((200, "Each trigger, in the order in which they decide.", TriggersBody), 503),
)
async def list_triggers(services: Used) -> Response:
    """As triggers.toml has them, but no URL beyond its host; docs/triggers.md says what each key does.

    With the decisions of the last 24 hours by verdict, the messages on their way and parked, and the
    receivers that failed in the last hour. The archive follows the log by about a second.
    """
    marketing = services.read_model.parameters().marketing
    body = triggers_body(marketing.version, marketing.clock, _rules(services), await _activity(services))
    return answers.answer(body)


@router.get(
    "/triggers/{name}",
    summary="One trigger",
    responses=described((200, "As `GET /triggers` has it.", TriggerBody), 404, 503),
)
async def get_trigger(name: str, services: Used) -> Response:
    """The trigger of that name, as the rules in force have it."""
    return answers.answer(trigger_body(_trigger(services, name), await _activity(services)))


@router.get(
    "/triggers/{name}/uplift",
    summary="What a trigger brings, against its holdout",
    responses=described((200, "Both arms, and their difference.", UpliftBody), 404, 503),
)
async def get_uplift(name: str, services: Used) -> Response:
    """By intention to treat: customers at their first decision of the trigger, as told or held out then.

    `reached` had the goal within `outcome_days` after it; an order that was cancelled does not count, and
    nobody is counted before their days are over. The interval is Newcombe's (1998, method 10).
    """
    trigger = _trigger(services, name)
    as_of_ms = services.read_model.as_of_ms() or 0
    told, held_out = await services.history.arms(name, trigger.goal, trigger.outcome_days, as_of_ms)
    return answers.answer(uplift_body(trigger, as_of_ms, told, held_out))


def _rules(services: Services) -> Rules:
    return in_force(services.read_model.parameters().marketing)


async def _activity(services: Services) -> Activity:
    now_ms = services.engine.now_ms()
    return await services.history.activity(now_ms - DAY_MS, now_ms - HOUR_MS)


def _trigger(services: Services, name: str) -> Trigger:
    rules = _rules(services)
    if (found := rules.trigger(name)) is not None:
        return found
    known = ", ".join(sorted(each.name for each in rules.triggers))
    remedy = f"use one of {known}" if known else "no rules are in force yet"
    raise Problem(404, f"There is no trigger {name[:80]!r}: {remedy}.")
