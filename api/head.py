"""HEAD: what would a GET answer, without its body?"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENDLESS = "/live"


class HeadAsGet:
    """Answer HEAD as GET, and send no body; a stream without an end is asked with GET only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == ENDLESS:
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)
