"""Do `headwater deliveries` and `headwater webhook-receiver` work as a user types them?"""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from streams.webhooks import parse, secrets_of, sign
from tests.browser.harness import Server
from tests.headwater import DONE_WITHIN_S, ask, start
from tests.integration.delivering import webhook
from tests.integration.receiver import SECRET

SHOWN_WITHIN_S = 30


class Receiving:
    """The receiver, running."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self.process: subprocess.Popen[str] = start(
            "webhook-receiver", "--port", "0", *arguments, **variables
        )
        assert self.process.stdout is not None
        self.said, found = "", None
        while found is None and (line := self.process.stdout.readline()):
            self.said += line
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found is not None, self.said
        self.url = found[0]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DONE_WITHIN_S)


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    found = Receiving(HEADWATER_WEBHOOK_SECRET_DEFAULT=SECRET)
    yield found
    found.process.kill()
    found.process.communicate()


def test_a_verified_delivery_is_a_line(receiving: Receiving) -> None:
    """It is answered 204, also when it comes again, which is said; any other 401, with the reason."""
    change = b'{"about":"","from":null,"to":"new"}'
    data = b'{"trigger":"t","customer_id":"ada","change":' + change + b"}"
    body = b'{"type":"stage.changed","data":' + data + b"}"
    headers = sign([parse(SECRET, "the test")], "1", int(time.time()), body)
    for again in ("", " again"):
        assert httpx2.post(receiving.url, content=body, headers=headers).status_code == 204
        assert receiving.line().endswith(f" stage.changed t: ada, nothing → new 1{again}\n")
    refused = httpx2.post(receiving.url, content=body + b" ", headers=headers)
    assert refused.status_code == 401
    assert "no signature is by this secret" in refused.text
    assert "refused: no signature" in receiving.line()
    assert receiving.stop() == 0


def test_a_secret_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """Which file it is in, or that it is the option's, and never what it is."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "default").write_text("hunter2hunter2")
    for given in (("--data-dir", tmp_path), ("--secret", "hunter2hunter2")):
        _, said = ask("webhook-receiver", *given, expect=2)
        assert "make one with whsec_" in said
        assert "hunter2" not in said


def test_where_there_is_no_secret_one_is_made(tmp_path: Path) -> None:
    """In the data directory, where the engine finds it, too."""
    found = Receiving("--data-dir", str(tmp_path))
    try:
        assert found.said.startswith("There was no secret to sign with: made one in")
        assert secrets_of("default", tmp_path, {})
    finally:
        found.process.kill()
        found.process.communicate()


def test_from_an_order_to_a_received_webhook(tmp_path: Path, receiving: Receiving) -> None:
    """A server with a trigger tells the receiver; nothing is left to be tried once more."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "triggers.toml").write_text(webhook(f"{receiving.url}/hook"))
    server = Server(data, HEADWATER_WEBHOOK_SECRET_DEFAULT=SECRET, HEADWATER_TARGETS="")
    try:
        server.start()
        server.post(
            {
                "type": "OrderPlaced",
                "customer_id": "ada",
                "order_id": "1",
                "amount": "1.00",
                "currency": "USD",
            }
        )
        assert "stage.changed welcome: ada, nothing → new" in receiving.line()
        out, _ = ask("deliveries", "list", "--data-dir", data)
        assert "welcome" in out
        out, _ = ask("deliveries", "redrive", "--dry-run", "--data-dir", data)
        assert out == "0 messages would be tried once more.\n"
    finally:
        server.stop()
