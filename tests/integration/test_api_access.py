"""Is every call asked for the key, is every way to show it taken, and does no engine start without one?"""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.app import create_api
from api.keys import COOKIE, HEALTH, SESSION_S, SIGN_IN, Key
from api.web import sign_in
from tests.headwater import headwater
from tests.integration.api_client import BASE, Api, api_over, order

KEY = "correct-horse-battery"
BEARER = {"authorization": f"Bearer {KEY}"}
BASIC = {"authorization": "Basic " + b64encode(f"anyone:{KEY}".encode()).decode()}
PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OPEN = HEALTH | {SIGN_IN}


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """An engine with a key, asked by someone who does not show it."""
    monkeypatch.setattr(sign_in, "PAUSE_S", 0)
    async with api_over(tmp_path, api_key=KEY, server_names="crm.example.org") as api:
        yield api


def calls(app: FastAPI) -> list[tuple[str, str]]:
    """Each method and path that the application routes, with "x" for what a path leaves open."""
    routed = [(route.methods, route.path or "") for route in iter_route_contexts(app.routes)]
    assert [path for methods, path in routed if methods is None] == ["/static"]
    return [
        (method, re.sub(r"\{[^}]+\}", "x", path))
        for methods, path in routed
        for method in sorted(methods or ())
    ]


def unauthorized(answer: httpx2.Response) -> Any:
    assert answer.status_code == 401, f"{answer.request.method} {answer.url}: {answer.status_code}"
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


async def signed_in(client: httpx2.AsyncClient) -> Morsel[str]:
    """The cookie of a new session."""
    answer = await client.post(SIGN_IN, json={"key": KEY})
    assert (answer.status_code, answer.content) == (204, b"")
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE]


async def test_every_call_but_the_health_checks_needs_the_key(api: Api) -> None:
    """With every method, also HEAD and OPTIONS, and where there is no call at all; none reaches its route."""
    routed = calls(api.app)
    assert len(routed) > 20
    paths = {path for _, path in routed} | {"/nowhere", "/static", "/healthz/", "/sign-in/x", "/STATIC/x"}
    for path in sorted(paths - OPEN):
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"):
            answer = await api.client.request(method, path)
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith('Bearer realm="Headwater"')
            assert ("Basic" in challenge) == path.startswith("/registry/"), path
            if method != "HEAD":
                assert "Authorization: Bearer KEY" in unauthorized(answer)["detail"]


async def test_the_health_checks_and_what_the_sign_in_page_is_made_of_are_open(api: Api) -> None:
    """For supervisors, which have no key, and for who has yet to enter it."""
    for path in [*sorted(HEALTH), SIGN_IN, "/static/css/theme.css", "/static/js/sign-in.js"]:
        assert (await api.client.get(path)).status_code == 200, path
    for outside in ("/static/../routes.py", "/static/%2e%2e/routes.py", "/static/..%2f..%2fkeys.py"):
        assert (await api.client.get(outside)).status_code in (401, 404), outside


@pytest.mark.parametrize("headers", [BEARER, BASIC])
async def test_the_key_opens_every_call(api: Api, headers: dict[str, str]) -> None:
    """As bearer and as Basic password alike."""
    await api.client.post("/events", json=order("ada"), headers=headers)
    await api.settled()
    for path in (
        "/",
        "/docs",
        "/openapi.json",
        "/summary",
        "/customers/ada",
        "/metrics",
        "/registry/subjects",
    ):
        assert (await api.client.get(path, headers=headers)).status_code == 200, path
        assert (await api.client.head(path, headers=headers)).status_code == 200, path
    assert (await api.client.request("OPTIONS", "/summary", headers=headers)).status_code == 405


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        "Basic " + b64encode(f"{KEY}:".encode()).decode(),
        "Basic " + b64encode(KEY.encode()).decode(),
        "Basic ====",
        "Bearer \xff",
    ],
)
async def test_another_key_opens_nothing(api: Api, authorization: str) -> None:
    """Nor the key in the wrong place."""
    unauthorized(await api.client.get("/summary", headers={"authorization": authorization.encode("latin-1")}))


async def test_a_registry_client_is_refused_in_its_own_shape(api: Api) -> None:
    """With both challenges, and with the members that Confluent's clients read."""
    answer = await api.client.get("/registry/subjects")
    body = unauthorized(answer)
    assert (body["error_code"], body["message"]) == (401, body["detail"])
    assert ", Basic realm=" in answer.headers["www-authenticate"]


async def test_a_session_opens_every_call_until_it_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts do not see its cookie, other sites do not send it, and it does not hold the key."""
    cookie = await signed_in(api.client)
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
    assert (cookie["max-age"], cookie["secure"], cookie["domain"]) == (str(SESSION_S), "", "")
    assert KEY not in cookie.OutputString()
    assert (await api.client.get("/summary")).status_code == 200  # the client keeps cookies
    assert (await api.client.post("/events", json=order("ada"))).status_code == 202
    monkeypatch.setattr(api.app.state.key, "_now", lambda: Key(KEY)._now() + SESSION_S)
    unauthorized(await api.client.get("/summary"))


async def test_any_process_with_the_key_takes_the_session(api: Api) -> None:
    """Nothing about it is kept; a process with another key does not take it."""
    await signed_in(api.client)
    for key, status in ((KEY, 200), ("another-horse-battery", 401)):
        settings = api.services.settings.model_validate({"api_key": key})
        other = create_api(type(api.services)(**{**vars(api.services), "settings": settings}))
        transport = httpx2.ASGITransport(other)
        async with httpx2.AsyncClient(
            transport=transport, base_url=BASE, cookies=api.client.cookies
        ) as client:
            assert (await client.get("/summary")).status_code == status


async def test_over_https_the_cookie_stays_there(api: Api) -> None:
    """Secure; without TLS it cannot be, or the browser would drop it."""
    transport = httpx2.ASGITransport(api.app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://crm.example.org") as client:
        assert (await signed_in(client))["secure"]


async def test_signing_out_takes_the_cookie_away(api: Api) -> None:
    """Here; the page then leads to the sign-in page."""
    await signed_in(api.client)
    answer = await api.client.post("/sign-out", json={})
    cleared = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert (answer.status_code, cleared.value, cleared["max-age"]) == (204, "", "0")
    unauthorized(await api.client.get("/summary"))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "wrong-horse-battery"}, 401),
        ({"key": "schlüssel-🔑-schlüssel"}, 401),
        ({"key": ""}, 401),
        ({}, 422),
        ([], 422),
    ],
)
async def test_a_wrong_key_gets_no_session(api: Api, body: object, status: int) -> None:
    """But a sentence."""
    answer = await api.client.post(SIGN_IN, json=body)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert answer.json()["detail"]


async def test_a_person_is_led_to_the_sign_in_page_and_back(api: Api) -> None:
    """To where they wanted to go, with its query; who has signed in already goes on at once."""
    asked = "/ui/customers/a%2Fb?tab=1&x=%20"
    led = await api.client.get(asked, headers=PAGE)
    assert led.status_code == 303
    assert str(led.next_request.url if led.next_request else "").startswith(f"{BASE}/sign-in?next=")
    page = await api.client.get(led.headers["location"], headers=PAGE)
    assert f'data-following="{asked.replace("&", "&amp;")}"' in page.text
    await signed_in(api.client)
    back = await api.client.get(led.headers["location"], headers=PAGE)
    assert (back.status_code, back.headers["location"]) == (303, asked)
    assert (await api.client.get(asked, headers=PAGE)).status_code == 200


@pytest.mark.parametrize(
    "following", ["//evil.example", "/\\evil.example", "https://evil.example", "https:", "/%09/evil.example"]
)
async def test_the_sign_in_page_leads_nowhere_else(api: Api, following: str) -> None:
    """Neither the page nor its redirection takes another host from a link."""
    address = f"{SIGN_IN}?next={following}"
    assert 'data-following="/"' in (await api.client.get(address)).text
    await signed_in(api.client)
    assert (await api.client.get(address)).headers["location"] == "/"
    api.client.cookies.clear()
    led = await api.client.get(f"{BASE}//evil.example", headers=PAGE)
    assert 'data-following="/"' in (await api.client.get(led.headers["location"])).text


async def test_only_a_navigation_is_led_to_a_page(api: Api) -> None:
    """A program that posts, or takes anything, is refused."""
    unauthorized(await api.client.post("/events", json=order("ada"), headers=PAGE))
    unauthorized(await api.client.get("/summary", headers={"accept": "*/*"}))
    unauthorized(await api.client.get("/live", headers={"accept": "text/event-stream"}))


async def test_a_session_follows_what_changes(api: Api) -> None:
    """As an EventSource does, which can show nothing but a cookie."""
    cookie = await signed_in(api.client)
    first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    status = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])
        elif not first.done():
            first.set_result(message["body"])

    headers = [(b"host", b"localhost"), (b"cookie", f"{COOKIE}={cookie.value}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/live", "query_string": b"", "headers": headers}
    following = asyncio.create_task(api.app(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        assert (await first).startswith(b"event: summary\n")
    assert status == [200]
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_every_post_is_json(api: Api) -> None:
    """What a form on another page can send is refused, signed in or not, also where a call has no body."""
    await signed_in(api.client)
    posts = [path for method, path in calls(api.app) if method == "POST"]
    assert {"/events", "/sql", "/rfm/calibrate", "/sign-in", "/sign-out"} <= set(posts)
    for path in posts:
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
        ):
            answer = await api.client.post(path, content=b"{}", headers={"content-type": kind})
            assert answer.status_code == 415, f"{path} as {kind!r}"


async def test_the_host_is_checked_with_a_key_too(api: Api) -> None:
    """Before the key is; the configured names are taken."""
    for host, status in (("crm.example.org", 200), ("CRM.example.org:443", 200), ("evil.example", 421)):
        answer = await api.client.get("/summary", headers={**BEARER, "host": host})
        assert answer.status_code == status
    answer = await api.client.get("/summary", headers={"host": "evil.example"})
    assert "HEADWATER_SERVER_NAMES" in answer.json()["detail"]


async def test_the_description_says_how_to_show_the_key(api: Api) -> None:
    """Bearer or cookie, for the registry also Basic, and nothing for the health checks; 401 is described."""
    told = (await api.client.get("/openapi.json", headers=BEARER)).json()
    assert told["components"]["securitySchemes"].keys() == {"bearer", "session", "basic"}
    for path, operations in told["paths"].items():
        for operation in operations.values():
            ways = [way for each in operation.get("security", []) for way in each]
            basic = ["basic"] if path.startswith("/registry/") else []
            assert ways == ([] if path in HEALTH else ["bearer", "session", *basic]), path
            assert ("401" in operation["responses"]) == (path not in HEALTH)


async def test_without_a_key_nothing_asks_for_one(tmp_path: Path) -> None:
    """No sign-in page, no way out of it, and no scheme in the description."""
    async with api_over(tmp_path) as api:
        assert (await api.client.get("/summary")).status_code == 200
        assert (await api.client.get(SIGN_IN)).status_code == 404
        assert "Sign out" not in (await api.client.get("/")).text
        told = await api.get("/openapi.json")
        assert "securitySchemes" not in told["components"]
        assert "401" not in told["paths"]["/summary"]["get"]["responses"]


@pytest.mark.parametrize(("command", "host"), [("serve", "0.0.0.0"), ("serve", "::"), ("demo", "10.0.0.7")])
def test_beyond_loopback_no_engine_starts_without_a_key(tmp_path: Path, command: str, host: str) -> None:
    """Exit 2, in one sentence with the remedy, and before anything is created."""
    data_dir = tmp_path / "data"
    out, err = headwater(command, "--port", "0", "--data-dir", data_dir, expect=2, HEADWATER_HOST=host)
    assert out == ""
    assert re.fullmatch(rf"headwater: HEADWATER_HOST is '{host}', .*: set HEADWATER_API_KEY .*\.\n", err)
    assert not data_dir.exists()


def test_a_weak_key_starts_no_engine(tmp_path: Path) -> None:
    """And is not printed."""
    data_dir = tmp_path / "data"
    _, err = headwater("serve", "--data-dir", data_dir, expect=2, HEADWATER_API_KEY="too-short")
    assert err.startswith("headwater: HEADWATER_API_KEY: needs at least 16 ASCII characters")
    assert "too-short" not in err
    assert not data_dir.exists()
