"""Whom do we meet and lose to: is it what pandas says of notes and closings?"""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from history.store import History
from schemas.events import (
    CompetitorNoted,
    Event,
    ExchangeRateSet,
    OpportunityClosed,
    OpportunityOpened,
    OpportunityStageChanged,
)
from schemas.values import instant
from tests import recomputed
from tests.recomputed import DAY_MS, Money
from tests.reporting import answer, history_of

END, MIDDLE = "2025-06-30T00:00:00Z", "2025-04-01T00:00:00Z"
NAMES = ("Acme", "Globex", "競合 🏢", "O'Neill; --")


def story() -> Iterator[Event]:
    """Opportunities of half a year by a fixed seed; some are noted with several competitors, or with none."""
    random, number = np.random.default_rng(3), 0
    start = instant("2025-01-01T00:00:00Z")

    def known(customer: str, at: int) -> dict[str, Any]:
        nonlocal number
        number += 1
        stamp = {"event_id": str(UUID(int=number)), "occurred_at": int(at), "received_at": int(at)}
        return stamp | {"customer_id": customer}

    yield ExchangeRateSet(
        event_id=str(UUID(int=10**6)), occurred_at=start, received_at=start,
        currency="EUR", base_currency="USD", rate="1.1",
    )  # fmt: skip
    for deal in range(200):
        customer, at = f"c{random.integers(60)}", start + int(random.integers(0, 170 * DAY_MS))
        of = {"opportunity_id": f"d{deal}"}
        amount = {
            "amount_minor": int(random.integers(1_000, 90_000)),
            "currency": str(random.choice(["USD", "EUR", "GBP"])),
        }
        yield OpportunityOpened(
            **known(customer, at), **of, stage="lead", **(amount if random.random() < 0.8 else {})
        )
        if random.random() < 0.3:
            yield OpportunityStageChanged(**known(customer, at + DAY_MS), **of, to_stage="offer", **amount)
        for name in random.choice(NAMES, random.integers(0, 3)):
            attached = of if random.random() < 0.8 else {}
            yield CompetitorNoted(**known(customer, at + 2 * DAY_MS), competitor=str(name), **attached)
        if random.random() < 0.6:
            won = random.random() < 0.5
            winner = str(random.choice(NAMES)) if not won and random.random() < 0.7 else None
            closing = {"outcome": "won" if won else "lost", "competitor": winner}
            yield OpportunityClosed(**known(customer, at + 9 * DAY_MS), **of, **closing)
    yield CompetitorNoted(**known("nobody", start), competitor="only noted")


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return sorted(story(), key=lambda event: event.occurred_at)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> History:
    return asyncio.run(history_of(tmp_path_factory.mktemp("sales"), events))


@pytest.mark.parametrize("as_of", [END, MIDDLE])
async def test_competitors_are_counted_by_opportunity(
    history: History, events: list[Event], as_of: str
) -> None:
    """One that was noted twice in an opportunity is met once; lost to is by the word of the closing."""
    money = Money(events, as_of)
    kinds = (OpportunityOpened, OpportunityStageChanged)
    told = pd.concat([recomputed.table(events, kind, as_of) for kind in kinds]).sort_values("occurred_at")
    worth = {
        row.opportunity_id: money(row.amount_minor, row.currency)
        for row in told.dropna(subset=["amount_minor"]).itertuples()
    }
    closed = {
        row.opportunity_id: row for row in recomputed.table(events, OpportunityClosed, as_of).itertuples()
    }
    notes = recomputed.table(events, CompetitorNoted, as_of)
    lost = {deal: row.competitor for deal, row in closed.items() if isinstance(row.competitor, str)}
    found = await answer(history, "competitors", as_of=as_of)
    assert set(found["competitor"]) == {*notes["competitor"], *lost.values()}
    moneys = {name: recomputed.minor(found[name]) for name in ("open_amount", "amount_lost")}
    for at, row in enumerate(found.itertuples()):
        of = notes[notes["competitor"] == row.competitor]
        lost_to = {deal for deal, name in lost.items() if name == row.competitor}
        met = {*of["opportunity_id"].dropna(), *lost_to}
        still = {deal for deal in met if deal not in closed}
        won = {deal for deal in met if deal in closed and closed[deal].outcome == "won"}
        who = {*of["customer_id"], *(closed[deal].customer_id for deal in lost_to)}
        assert (row.noted, row.customers, row.met) == (len(of), len(who), len(met))
        assert (row.open, row.won_against, row.lost_to) == (len(still), len(won), len(lost_to))
        assert row.lost_otherwise == len(met - still - won - lost_to)
        for name, deals in (("open_amount", still), ("amount_lost", lost_to)):
            known = [worth[deal] for deal in deals if worth.get(deal) is not None]
            assert moneys[name][at] == (sum(known) if known else None)
        decided = len(won) + len(lost_to)
        assert (pd.isna(row.win_rate) and not decided) or row.win_rate == len(won) / decided
