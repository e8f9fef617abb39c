"""given a customer about whom questions were asked / when one is explained / then it says what was known."""

from pathlib import Path
from typing import Any

import pytest

from cli.client import in_process
from cli.compose import Parts, running
from cli.errors import Refused
from projections.times import DAY_MS, rfc3339
from schemas.events import CampaignSent, CouponRedeemed, Event
from tests.integration.test_scoring import START_MS, eventually, histories
from tests.unit.streams.partition import event_id, order

WHO = "regular-1"


async def explained(parts: Parts, *, target: str = "order_7d", **query: str) -> Any:
    await parts.settled()
    async with in_process(parts.api) as engine:
        return await engine.get(f"/customers/{WHO}/explanation", target=target, **query)


def sent(campaign: str, day: int, starts_day: int) -> CampaignSent:
    at = START_MS + day * DAY_MS
    return CampaignSent(
        event_id=event_id(f"send {campaign}"),
        customer_id=WHO,
        occurred_at=at,
        received_at=at,
        campaign_id=campaign,
        starts_on=START_MS // DAY_MS + starts_day,
    )


def redeemed(campaign: str, day: int) -> CouponRedeemed:
    at = START_MS + day * DAY_MS
    return CouponRedeemed(
        event_id=event_id(f"redemption {campaign}"),
        customer_id=WHO,
        occurred_at=at,
        received_at=at,
        coupon="c",
        campaign_id=campaign,
    )


async def test_a_prediction_is_explained_as_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the history once its horizon has passed, from the row before; with the events that were known."""
    monkeypatch.setenv("HEADWATER_TARGETS", "order_7d")
    async with running(tmp_path, clock="events", learns=True) as parts:
        events: list[Event] = histories()
        await parts.engine.append_events(events)
        await parts.settled()

        async def is_scored() -> bool:
            return bool(parts.engine.parameters()[0].models)

        await eventually(is_scored)
        end = START_MS + 120 * DAY_MS
        await parts.engine.append_events([order(WHO, end + DAY_MS), order(WHO, end + 20 * DAY_MS)])

        latest = await explained(parts)
        assert latest["happened"] is None
        assert latest["is_reproduced"] is True
        assert latest["model"] == "logistic"
        assert len(latest["reasons"]) == 3

        earlier = await explained(parts, at=rfc3339(START_MS + 60 * DAY_MS))
        assert earlier["happened"] in (True, False)
        assert earlier["asked_at"] < rfc3339(START_MS + 60 * DAY_MS)
        known = [event["occurred_at"] for event in earlier["events"]]
        before = [e for e in events if e.customer_id == WHO and rfc3339(e.occurred_at) <= earlier["asked_at"]]  # type: ignore[attr-defined]
        assert len(known) == len(before) == earlier["features"]["orders"]
        assert all(at <= earlier["asked_at"] for at in known)


async def test_a_question_about_a_campaign_is_explained_by_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer names it; without one, the last question counts, also while an earlier one is still open."""
    monkeypatch.setenv("HEADWATER_TARGETS", "redeem")
    async with running(tmp_path, clock="events", learns=True) as parts:
        early, late, unanswered = sent("early", 1, 60), sent("late", 5, 5), sent("unanswered", 6, 6)
        coming = [order(WHO, START_MS), early, late, unanswered, redeemed("late", 10)]
        await parts.engine.append_events([*coming, order(WHO, START_MS + 70 * DAY_MS)])

        def known(answer: Any) -> tuple[str, bool | None, str]:
            return answer["campaign"], answer["happened"], answer["events"][0]["event_id"]

        assert known(await explained(parts, target="redeem", campaign="early")) == (
            ("early", None, early.event_id)
        )
        assert known(await explained(parts, target="redeem", campaign="late")) == (
            ("late", True, late.event_id)
        )
        last = await explained(parts, target="redeem")
        assert known(last) == ("unanswered", False, unanswered.event_id)
        assert last["features"]["sends"] == 3
        before = await explained(parts, target="redeem", at=rfc3339(late.occurred_at))
        assert known(before) == ("early", None, early.event_id)


async def test_a_campaign_that_nobody_asked_about_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both a campaign that was not sent, and one for a target that is about none."""
    monkeypatch.setenv("HEADWATER_TARGETS", "redeem,order_7d")
    async with running(tmp_path, clock="events", learns=True) as parts:
        await parts.engine.append_events([order(WHO, START_MS), sent("spring", 1, 1)])
        with pytest.raises(Refused, match="for redeem of the campaign 'autumn' before then"):
            await explained(parts, target="redeem", campaign="autumn")
        with pytest.raises(Refused, match="order_7d is asked about no campaign"):
            await explained(parts, target="order_7d", campaign="spring")
