"""Are triggers taken from their files and from callers, checked before they are in force, and decided by?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from projections.triggers.files import BadTriggers, version_of
from schemas.events import Event, TriggerDecided, TriggersSet
from streams.engine import Engine
from streams.log import Log
from streams.topics import DECISIONS, EVENTS
from tests.headwater import ask
from tests.integration.api_client import Api, api_over, order, served
from tests.integration.engines import events, settings_for

SEGMENTS = '[[segment]]\nname = "all"\nwhere = "true"\n'
TRIGGERS = """[[trigger]]
name = "welcome"
on = { change = "stage", to = "new" }
action = { topic = "headwater.messages" }
consent = "none"
holdout = 0
"""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as running:
        yield running


async def told(log: Log, topic: str, kind: type[Event]) -> list[Event]:
    return [event for event in await events(log, topic) if isinstance(event, kind)]


async def test_posted_triggers_decide_from_then_on(api: Api) -> None:
    """An order before them tells nobody; one after them is decided on, once."""
    await api.post(order("before"))
    answer = await api.client.post("/triggers", json={"segments": SEGMENTS, "triggers": TRIGGERS})
    version = version_of(SEGMENTS, TRIGGERS, "events")
    assert answer.json() == {
        "version": version,
        "segments": ["all"],
        "triggers": ["welcome"],
        "dry_run": False,
    }
    await api.post(order("after"), order("after", at="1998-01-02T00:00:00Z"))
    [decided] = await told(api.services.log, DECISIONS, TriggerDecided)
    assert isinstance(decided, TriggerDecided)
    assert (decided.customer_id, decided.verdict, decided.rules_version) == ("after", "send", version)


async def test_a_dry_run_puts_nothing_in_force(api: Api) -> None:
    """The files are checked, and the log hears nothing."""
    answer = await api.client.post("/triggers?dry_run=true", json={"segments": "", "triggers": TRIGGERS})
    assert answer.json()["dry_run"] is True
    assert await told(api.services.log, EVENTS, TriggersSet) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"segments": "", "triggers": TRIGGERS.replace("new", "gnu")}, "triggers.toml:3: 'gnu' is no stage"),
        ({"segments": "[", "triggers": ""}, "segments.toml: "),
        ({"triggers": ""}, "missing required field `segments`"),
        ([], "Expected `object`"),
    ],
)
async def test_a_file_that_cannot_be_used_changes_nothing(api: Api, body: object, said: str) -> None:
    """422 names the line; the rules in force stay."""
    await api.client.post("/triggers", json={"segments": "", "triggers": TRIGGERS})
    answer = await api.client.post("/triggers", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert len({event.version for event in await told(api.services.log, EVENTS, TriggersSet)}) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9/", "triggers.toml:4: http://127.0.0.1:9 cannot be reached"),
        ("https://localhost.localdomain.invalid/x", "triggers.toml:4: "),
    ],
)
async def test_a_receiver_that_cannot_be_reached_is_refused(api: Api, url: str, said: str) -> None:
    """Before the rules are in force, by its line, without the path."""
    text = TRIGGERS.replace('topic = "headwater.messages"', f'webhook = "{url}"')
    answer = await api.client.post("/triggers", json={"segments": "", "triggers": text})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert await told(api.services.log, EVENTS, TriggersSet) == []


async def test_a_file_whose_receiver_cannot_be_reached_is_not_told_at_a_start(tmp_path: Path) -> None:
    """The engine starts, and what is in force stays."""
    (tmp_path / "triggers.toml").write_text(TRIGGERS)
    async with Engine.open(settings_for(tmp_path)) as engine:
        await engine.caught_up()
    away = TRIGGERS.replace('topic = "headwater.messages"', 'webhook = "http://127.0.0.1:9/"')
    (tmp_path / "triggers.toml").write_text(away)
    async with Engine.open(settings_for(tmp_path)) as engine:
        await engine.caught_up()
        assert {each.marketing.triggers for each in engine.parameters()} == {TRIGGERS}


async def test_files_are_told_at_a_start_where_others_are_in_force(tmp_path: Path) -> None:
    """Once, not at each start; a changed file is told again; without files what is in force stays."""
    (tmp_path / "triggers.toml").write_text(TRIGGERS)
    for text, versions in ((None, 1), (None, 1), (TRIGGERS + 'max_age = "7d"\n', 2), ("", 3)):
        if text is not None:
            (tmp_path / "triggers.toml").write_text(text)
        async with Engine.open(settings_for(tmp_path)) as engine:
            await engine.caught_up()
            found = await told(engine.log, EVENTS, TriggersSet)
            assert len({event.event_id for event in found}) == versions * engine.log.partitions(EVENTS)
    (tmp_path / "triggers.toml").unlink()
    async with Engine.open(settings_for(tmp_path)) as engine:
        await engine.caught_up()
        assert len(await told(engine.log, EVENTS, TriggersSet)) == 3 * engine.log.partitions(EVENTS)


async def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """The error names the file and the line."""
    (tmp_path / "segments.toml").write_text(SEGMENTS.replace("true", "tru"))
    with pytest.raises(BadTriggers, match=r"segments\.toml:3: 'tru' is not known"):
        async with Engine.open(settings_for(tmp_path)):
            pass
    with pytest.raises(BadTriggers, match="HEADWATER_TRIGGERS names"):
        async with Engine.open(settings_for(tmp_path, triggers=tmp_path / "typo.toml")):
            pass


def test_the_command_applies_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`headwater triggers apply` says what is in force, or which line is wrong."""
    given = tmp_path / "files"
    given.mkdir()
    (given / "triggers.toml").write_text(TRIGGERS)
    with served(tmp_path / "engine") as address:
        monkeypatch.setenv("HEADWATER_API_URL", address)
        out, _ = ask("triggers", "apply", "--dry-run", "--data-dir", given)
        assert "These can be put in force" in out
        out, _ = ask("triggers", "apply", "--data-dir", given)
        assert "triggers: welcome" in out
        (given / "triggers.toml").write_text(TRIGGERS.replace("holdout = 0", "holdout = 7"))
        _, err = ask("triggers", "apply", "--data-dir", given, expect=2)
        assert "triggers.toml:6: " in err
        _, err = ask("triggers", "apply", "--data-dir", tmp_path / "nothing", expect=2)
        assert "There is neither" in err
