"""How does a person show the key once, for all that the dashboard asks? On a page that opens a session."""

import asyncio
from typing import cast

import msgspec
from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from api.bodies import read_json, require_json
from api.keys import BEARER, COOKIE, SESSION_S, SIGN_IN, Key, local_path
from api.problems import Problem
from api.web.routes import page

PAUSE_S = 0.5  # after a wrong key, so that guessing is slow

router = APIRouter(include_in_schema=False)


class Shown(Struct, forbid_unknown_fields=True):
    key: str


@router.get(SIGN_IN)
async def sign_in_page(request: Request) -> Response:
    """Asks for the key; who has a session goes on at once."""
    following = local_path(request.query_params.get("next", "/"))
    if _key(request).is_shown_by(request):
        return RedirectResponse(following, 303)
    return page(request, "sign_in.html", following=following)


@router.post(SIGN_IN)
async def sign_in(request: Request) -> Response:
    """A session for the key, which the cookie does not hold; 401 for another."""
    try:
        shown = msgspec.convert(await read_json(request), Shown)
    except msgspec.ValidationError as error:
        raise Problem(422, f'Send {{"key": "…"}}: {error}.') from error
    key = _key(request)
    if not key.is_key(shown.key.encode("utf-8", "replace")):
        await asyncio.sleep(PAUSE_S)
        raise Problem(
            401,
            "That is not this engine's key: enter the HEADWATER_API_KEY that it was started with.",
            headers={"WWW-Authenticate": BEARER},
        )
    answer = Response(status_code=204)
    _set(answer, request, key.session(), SESSION_S)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Takes the session from this browser."""
    require_json(request)
    answer = Response(status_code=204)
    _set(answer, request, "", 0)
    return answer


def _set(answer: Response, request: Request, session: str, max_age_s: int) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, session, max_age=max_age_s, path="/", secure=secure, httponly=True, samesite="strict"
    )


def _key(request: Request) -> Key:
    return cast(Key, request.app.state.key)
