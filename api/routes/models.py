"""GET /models…: what is predicted, by which model, and how good is it?"""

from fastapi import APIRouter
from starlette.responses import Response

from api import answers
from api.openapi import described
from api.problems import Problem
from api.services import Used
from api.shapes import TargetHistoryBody, TargetsBody
from projections.scoring.targets import TARGETS

router = APIRouter(tags=["models"])


@router.get(
    "/models",
    summary="What is predicted, and how well",
    responses=described((200, "Each target with its champion and shadows.", TargetsBody)),
)
async def list_models(services: Used) -> Response:
    """Each model is judged on the same examples, by what it knew when the question was asked.

    `rolling` is of the examples that ended within the last 90 days of stream time, `cumulative` of all.
    """
    parameters = services.read_model.parameters()
    return answers.answer({"items": services.models.listed(parameters)})


@router.get(
    "/models/{target}",
    summary="One target's models, and how they did over time",
    responses=described(
        (200, "The target, with a point a stream day for each model.", TargetHistoryBody), 404
    ),
)
async def get_model(target: str, services: Used) -> Response:
    """As `GET /models` has it, with `history`: the ROC AUC of the last 90 days, at each stream day."""
    if target not in TARGETS:
        raise Problem(404, f"There is no target {target[:80]!r}: use one of {', '.join(sorted(TARGETS))}.")
    body = services.models.target(target, services.read_model.parameters())
    return answers.answer({**body, "history": services.models.history(target)})
