"""Do the marketer's commands answer as a user types them?"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.harness import Server
from tests.decisions import Decided
from tests.headwater import ask
from tests.integration.test_cli import ORDER
from tests.marketing import prepare

SHOWN_WITHIN_S = 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that a server holds: one parked message, and one that waits for a person."""
    data_dir = tmp_path_factory.mktemp("served") / "data"
    parked = Decided("ann", at=time.time_ns() // 1_000_000)
    prepare(data_dir, parked.ends(), parked.attempted(1, 503), parked.abandoned())
    server = Server(data_dir)
    try:
        server.start()
        server.post(
            ORDER | {"customer_id": "ann", "order_id": "1"}, ORDER | {"customer_id": "b", "order_id": "2"}
        )
        deadline = time.monotonic() + SHOWN_WITHIN_S
        while not _is_archived(server):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield data_dir
    finally:
        server.stop()


def _is_archived(server: Server) -> bool:
    """A table at a time: all that the tests ask for is there."""
    waiting: Any = server.get("/reviews")["items"]
    triggers: Any = server.get("/triggers")
    return len(waiting) == 2 and triggers["items"][1]["parked"] == 1 and len(triggers["failing"]) == 1


def test_why_tells_everything_about_a_customers_messages(served: Path) -> None:
    """In one query: the change, the verdict, the attempts and the end; of one trigger, if asked."""
    out, _ = ask("why", "ann", "--trigger", "win-back", "--data-dir", served)
    assert "win-back: stage active → at_risk" in out
    assert "not delivered: parked after 1 attempt" in out
    assert "failed (HTTP 503)" in out
    assert "welcome" not in out
    out, _ = ask("why", "ann", "--limit", "1", "--data-dir", served)
    assert "There are older ones" in out
    out, _ = ask("why", "ann", "--trigger", "win-back", "--json", "--data-dir", served)
    (item,) = json.loads(out)["items"]
    assert item["steps"][0]["type"] == "TriggerDecided"


def test_why_says_what_is_wrong_where_there_is_nothing(served: Path) -> None:
    """Nothing decided, no such customer and no such trigger are three answers."""
    out, _ = ask("why", "b", "--trigger", "win-back", "--data-dir", served)
    assert "win-back decided nothing on b" in out
    assert "No event names the customer" in ask("why", "nobody", "--data-dir", served, expect=2)[1]
    _, err = ask("why", "b", "--trigger", "no", "--data-dir", served, expect=2)
    assert "There is no trigger 'no': use one of welcome, win-back." in err


def test_rules_are_listed_with_what_they_do(served: Path) -> None:
    """As tables, or as the API's JSON."""
    out, _ = ask("triggers", "list", "--json", "--data-dir", served)
    assert [each["name"] for each in json.loads(out)["items"]] == ["welcome", "win-back"]
    assert "welcome" in ask("triggers", "list", "--data-dir", served)[0]
    assert "regulars" in ask("segments", "list", "--data-dir", served)[0]
    out, _ = ask("triggers", "uplift", "win-back", "--data-dir", served)
    assert out.startswith("Not enough yet: 0 told and 0 held out")


def test_an_expression_is_tried_from_the_shell(served: Path) -> None:
    """A count and a sample; a faulty one is refused in a sentence."""
    out, _ = ask("segments", "preview", "orders.count == 1 && customer_id == 'ann'", "--data-dir", served)
    assert out == "1 of 2 customers\nsuch as ann\n"
    out, _ = ask("segments", "preview", "traits.city == 'Bonn'", "--data-dir", served)
    assert out.startswith("0 of 2 customers\nno answer for 2, the first: ")
    assert "is not known" in ask("segments", "preview", "order > 1", "--data-dir", served, expect=2)[1]


def test_a_person_says_yes_and_no(served: Path) -> None:
    """What waits is listed; an answer takes it off the list, and a second one is refused."""
    waiting = json.loads(ask("review", "list", "--json", "--data-dir", served)[0])["items"]
    ids = {each["customer_id"]: each["decision_id"] for each in waiting}
    assert "welcome" in ask("review", "list", "--data-dir", served)[0]
    out, _ = ask(
        "review", "no", ids["ann"], "--reviewer", "Zoe", "--comment", "too soon", "--data-dir", served
    )
    assert re.fullmatch(r"No to \S+ is on the log\.\n", out)
    ask("review", "yes", ids["b"], "--data-dir", served)
    deadline = time.monotonic() + SHOWN_WITHIN_S
    while "Nothing waits" not in ask("review", "list", "--data-dir", served)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    out, _ = ask("why", "ann", "--trigger", "welcome", "--data-dir", served)
    assert "not sent (declined): a person said no" in out
    assert "Zoe said no: too soon" in out
    _, err = ask("review", "yes", ids["ann"], "--data-dir", served, expect=2)
    assert "ended with declined" in err
