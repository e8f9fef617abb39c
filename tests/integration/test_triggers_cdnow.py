"""On all of CDNOW: does a trigger fire as often as pandas says, and are the held out like the others?"""

import asyncio
import json
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pandas as pd

from projections.times import DAY_MS
from projections.triggers.deciding import is_held_out
from projections.triggers.rules import Action, On, Trigger
from projections.triggers.uplift import Arm, difference
from schemas.events import Event, TriggerDecided
from streams.sqlite_log import SqliteLog
from streams.topics import DECISIONS, topic_specs
from tests import cdnow
from tests.browser.harness import Server
from tests.headwater import headwater
from tests.integration.engines import events

SALTS = 200
OUTCOME_DAYS = 30
LAPSED = """[[trigger]]
name = "lapsed"
on = { change = "stage", from = "active", to = "at_risk" }
action = { topic = "headwater.messages" }
consent = "none"
holdout = 0
"""


def decisions(data_dir: Path) -> list[TriggerDecided]:
    """What was decided, from the log of an engine that has ended."""

    async def read() -> list[Event]:
        log = await SqliteLog.open(data_dir / "log.db", topic_specs(4))
        try:
            return await events(log, DECISIONS)
        finally:
            await log.close()

    return [each for each in asyncio.run(read()) if isinstance(each, TriggerDecided)]


def test_a_trigger_fires_as_often_as_the_file_says(tmp_path: Path) -> None:
    """In stream time: each customer on the very days that pandas computes, decided and delivered."""
    to_file = LAPSED.replace('topic = "headwater.messages"', 'file = "sink.jsonl"') + 'max_age = "off"\n'
    (tmp_path / "triggers.toml").write_text(to_file)
    load = ("demo", "--original-dates", "--until-loaded", "--json", "--data-dir", tmp_path)
    headwater(*load, HEADWATER_TARGETS="")
    sink = tmp_path / "sink.jsonl"
    server = Server(tmp_path, HEADWATER_TARGETS="")
    try:
        server.start()
        while any(each["pending"] for each in server.get("/deliveries")["items"]) or not sink.exists():
            time.sleep(0.2)
    finally:
        server.stop()
    sent = [json.loads(line)["data"] for line in sink.read_text().splitlines()]
    delivered = {
        each["decision_id"]: (each["customer_id"], pd.Timestamp(each["change"]["at"]).tz_localize(None))
        for each in sent
    }
    found = Counter(
        (each.customer_id, pd.Timestamp(each.transition_at, unit="ms"))
        for each in decisions(tmp_path)
        if each.verdict == "send"
    )
    assert found == Counter(map(tuple, cdnow.lapses().itertuples(index=False)))
    assert found == Counter(delivered.values())
    assert found.total() > 8_000


def test_history_loaded_on_the_wall_clock_messages_nobody_of_long_ago(tmp_path: Path) -> None:
    """Everything older than a day is expired, and what is told is not."""
    (tmp_path / "triggers.toml").write_text(LAPSED)
    headwater("demo", "--until-loaded", "--json", "--data-dir", tmp_path, HEADWATER_TARGETS="")
    made = decisions(tmp_path)
    ages = {
        verdict: [int(each.inputs["age_ms"]) for each in made if each.verdict == verdict]
        for verdict in ("send", "expired")
    }
    assert len(ages["expired"]) > 8_000
    assert min(ages["expired"]) > DAY_MS
    assert max(ages["send"], default=0) <= DAY_MS
    assert len(made) == sum(map(len, ages.values()))


def test_between_two_like_arms_the_interval_covers_no_difference() -> None:
    """A/A: over 200 salts, nobody is told anything, and 90 to 99 % of the 95 % intervals contain 0."""
    first = cdnow.lapses().sort_values("on").drop_duplicates("customer")
    first = first[first["on"] <= cdnow.LAST_DAY - timedelta(days=OUTCOME_DAYS)]
    orders = cdnow.orders()[["customer", "date"]].merge(first, on="customer")
    within = orders["date"].between(
        orders["on"], orders["on"] + timedelta(days=OUTCOME_DAYS), inclusive="right"
    )
    ordered = set(orders.loc[within, "customer"])
    covered = 0
    for salt in range(SALTS):
        trigger = Trigger(
            "aa", On("stage"), Action(topic="headwater.messages"), "none", holdout=0.5, salt=str(salt)
        )
        arms = {held: [0, 0] for held in (False, True)}
        for customer in first["customer"]:
            arm = arms[is_held_out(trigger, customer)]
            arm[0] += 1
            arm[1] += customer in ordered
        found = difference(Arm(*arms[False]), Arm(*arms[True]))
        covered += found.low <= 0 <= found.high
    assert 0.90 * SALTS <= covered <= 0.99 * SALTS
