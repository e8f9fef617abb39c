"""Is what was decided delivered: signed, in order, as often as it takes, and with a receipt for all of it?"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from projections.triggers.attempting import TRIED_FOR_MS
from schemas.events import (
    ConsentChanged,
    DeliveryAbandoned,
    DeliveryAttempted,
    DeliveryRedriven,
    DeliverySucceeded,
    TriggerDecided,
)
from streams.deliveries import FILE
from streams.delivery_queue import GivenUp
from streams.delivery_tables import discard
from streams.dispatching import DRAIN_S
from streams.receipts import redriven
from streams.topics import MESSAGES
from tests.integration.delivering import Leaping, delivering, tell_rules, trigger, webhook
from tests.integration.engines import records
from tests.integration.receiver import SECRET, Call, receiver
from tests.unit.streams.partition import event_id, order

START_MS = 1_800_000_000_000


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_WEBHOOK_SECRET_DEFAULT", SECRET)


def consent(customer: str, at: int, status: str) -> ConsentChanged:
    return ConsentChanged(
        event_id=event_id((customer, at, status)),
        customer_id=customer,
        occurred_at=at,
        received_at=at,
        consent_channel="email",
        purpose="marketing",
        status=status,
    )


class Fails:
    """Answers each message with these statuses, and then takes it."""

    def __init__(self, *statuses: int, **headers: str) -> None:
        self._left: dict[str, Iterator[int]] = defaultdict(lambda: iter(statuses))
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def __call__(self, call: Call) -> web.StreamResponse:
        status = next(self._left[call.id], 204)
        return web.Response(status=status, headers=self._headers if status >= 300 else None)


async def test_a_change_reaches_its_receiver(tmp_path: Path) -> None:
    """Signed, so that an independent verifier accepts it; attempt and success are on the log."""
    async with receiver() as there, delivering(tmp_path, webhook(there.url + "/hook?key=1")) as here:
        await here.happened(order("ada", 5))
        await here.settled()
        [call] = there.calls
        [decided] = await here.told(TriggerDecided)
        assert Webhook(SECRET).verify(call.body, dict(call.headers))["type"] == "stage.changed"
        assert call.id == call.data["decision_id"] == decided.decision_id
        [attempted] = await here.told(DeliveryAttempted)
        assert (attempted.attempt, attempted.succeeded, attempted.status) == (1, True, 204)
        [succeeded] = await here.told(DeliverySucceeded)
        assert (succeeded.attempts, succeeded.endpoint) == (1, there.url)
        assert here.deliveries.queue.counts == {}


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500, 503])
async def test_what_is_not_taken_is_tried_again(tmp_path: Path, status: int) -> None:
    """Under the same id; redirects are not followed."""
    async with receiver() as there:
        there.answer = Fails(status, status, Location=f"{there.url}/elsewhere")
        clock = Leaping(START_MS)
        async with delivering(tmp_path, webhook(there.url + "/hook"), clock) as here:
            await here.happened(order("ada", 5))
            await here.settled()
            assert len({call.id for call in there.calls}) == 1
            attempts = await here.told(DeliveryAttempted)
            assert [(each.attempt, each.status) for each in attempts] == [(1, status), (2, status), (3, 204)]
            for one, other in pairwise(attempts):
                assert one.next_attempt_at is not None
                assert one.occurred_at < one.next_attempt_at <= other.occurred_at


async def test_a_busy_receiver_says_when_to_come_back(tmp_path: Path) -> None:
    """It is not called before that."""
    async with receiver() as there:
        there.answer = Fails(429, retry_after="7200")
        async with delivering(tmp_path, webhook(there.url), Leaping(START_MS)) as here:
            await here.happened(order("ada", 5))
            await here.settled()
            first, second = await here.told(DeliveryAttempted)
            assert second.occurred_at - first.occurred_at >= 7_200_000


async def test_after_three_days_it_is_parked_and_can_be_redriven(tmp_path: Path) -> None:
    """Then its schedule begins anew, under the same id; the attempts are counted on."""
    async with receiver() as there:
        there.answer = Fails(*[500] * 100_000)
        clock = Leaping(START_MS)
        chance = (n % 10 / 10 for n in count()).__next__
        async with delivering(tmp_path, webhook(there.url), clock, chance) as here:
            await here.happened(order("ada", 5))
            await here.settled()
            [parked] = await here.told(DeliveryAbandoned)
            assert parked.why == "parked"
            assert parked.attempts == len(there.calls) > TRIED_FOR_MS / 3_600_000
            attempts = await here.told(DeliveryAttempted)
            assert attempts[-1].next_attempt_at is None
            assert attempts[-1].occurred_at <= attempts[0].occurred_at + TRIED_FOR_MS
            there.answer = Fails(500)
            [found] = await here.deliveries.ask(
                lambda queue: queue.undelivered(GivenUp(None, 0, clock.now_ms()), 10)
            )
            await here.log.append([redriven(found, "me", clock.now_ms())])
            await here.until(lambda: here.deliveries.queue.counts == {})
            [again] = await here.told(DeliveryRedriven)
            [succeeded] = await here.told(DeliverySucceeded)
            assert again.decision_id == succeeded.decision_id == parked.decision_id
            assert succeeded.attempts == parked.attempts + 2
            assert len({call.id for call in there.calls}) == 1


async def test_who_is_gone_is_not_called_again(tmp_path: Path) -> None:
    """410 parks the message at once."""
    async with receiver() as there:
        there.answer = Fails(410)
        async with delivering(tmp_path, webhook(there.url)) as here:
            await here.happened(order("ada", 5))
            await here.settled()
            [parked] = await here.told(DeliveryAbandoned)
            assert (parked.why, parked.attempts, len(there.calls)) == ("parked", 1, 1)
            assert "410" in parked.reason


async def test_an_answer_is_kept_to_its_beginning(tmp_path: Path) -> None:
    """Of a body of any length, a KiB; what is no text is told as far as it can be."""

    async def at_length(_call: Call) -> web.StreamResponse:
        return web.Response(body=b"\xff\x00" + b"x" * 5_000_000)

    async with receiver() as there, delivering(tmp_path, webhook(there.url)) as here:
        there.answer = at_length
        await here.happened(order("ada", 5))
        await here.settled()
        [attempted] = await here.told(DeliveryAttempted)
        assert attempted.response == "\ufffd\ufffd" + "x" * 1022


async def test_a_customers_messages_keep_their_order(tmp_path: Path) -> None:
    """The second is sent when the first has ended, though that takes several attempts."""
    async with receiver() as there:
        there.answer = Fails(500, 500)
        rules = webhook(there.url, "first", "priority = 2") + webhook(there.url + "/two", "second")
        async with delivering(tmp_path, rules, Leaping(START_MS)) as here:
            await here.happened(*(order(f"c{n}", 5 + n) for n in range(20)))
            await here.settled()
            for customer in {call.data["customer_id"] for call in there.calls}:
                told = [call.data["trigger"] for call in there.calls if call.data["customer_id"] == customer]
                assert told == ["first"] * 3 + ["second"] * 3


async def test_a_slow_endpoint_delays_no_other(tmp_path: Path) -> None:
    """One that never answers has all its calls under way, while the other gets everything."""

    async def never(_call: Call) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with receiver() as slow, receiver() as quick:
        slow.answer = never
        rules = webhook(slow.url, "slow") + webhook(quick.url, "quick")
        async with delivering(tmp_path, rules, delivery_concurrency=4) as here:
            await here.happened(*(order(f"c{n}", 5 + n) for n in range(200)))
            await here.until(lambda: len(quick.calls) == 200)
            await here.until(lambda: len(slow.calls) == 4)
            assert not await here.told(DeliveryAbandoned)


async def test_a_failing_endpoint_is_left_alone(tmp_path: Path) -> None:
    """After ten failures in a row; once a trial succeeds, everything is delivered."""
    async with receiver() as there:
        there.answer = Fails(503)
        rules = webhook(there.url)
        async with delivering(tmp_path, rules, delivery_concurrency=1) as here:
            await here.happened(*(order(f"c{n}", 5 + n) for n in range(40)))
            await here.until(lambda: here.reactor.open_endpoints == [there.url])
            await here.until(lambda: here.deliveries.queue.failing)
            await here.until(lambda: here.deliveries.queue.failing[there.url].failures >= 10)
            there.answer = Fails()
            await here.settled()
            assert not here.reactor.open_endpoints
            assert len({call.id for call in there.calls}) == 40
            assert here.reactor.outcomes["succeeded"] == 40


async def test_what_an_endpoint_never_took_is_parked(tmp_path: Path) -> None:
    """After three days of trials, the others are not worth a call each; they can be redriven."""
    async with receiver() as there:
        there.answer = Fails(*[503] * 100_000)
        clock = Leaping(START_MS)
        async with delivering(tmp_path, webhook(there.url), clock, delivery_concurrency=1) as here:
            await here.happened(*(order(f"c{n}", 5 + n) for n in range(40)))
            await here.until(lambda: here.reactor.outcomes["failed"] >= 60)
            assert here.reactor.open_endpoints == [there.url]
            clock.at_ms += TRIED_FOR_MS
            await here.settled()
            abandoned = await here.told(DeliveryAbandoned)
            assert [each.why for each in abandoned] == ["parked"] * 40
            assert len(there.calls) < 200


async def test_what_is_due_at_night_waits_for_the_morning(tmp_path: Path) -> None:
    """It was decided before the customer's night, and comes to its first attempt in it."""
    now_ms = time.time_ns() // 1_000_000
    from_, to = (time.strftime("%H:%M", time.gmtime(now_ms / 1000 + hours * 3_600)) for hours in (2, 4))
    quiet = f'quiet_hours = {{ from = "{from_}", to = "{to}" }}\ndefault_timezone = "UTC"'
    clock = Leaping(now_ms + 3 * 3_600_000)
    async with receiver() as there:
        rules = webhook(there.url, rest=quiet)
        async with delivering(tmp_path, rules, clock, rules_clock="wall") as here:
            await here.happened(order("ada", now_ms))
            await here.settled()
            [attempted] = await here.told(DeliveryAttempted)
            assert now_ms + 3.9 * 3_600_000 < attempted.occurred_at < now_ms + 4.1 * 3_600_000


async def test_what_no_longer_holds_is_not_sent(tmp_path: Path) -> None:
    """Consent withdrawn between two attempts; the receipt says why."""
    async with receiver() as there:
        there.answer = Fails(500)
        async with delivering(tmp_path, webhook(there.url, consent="email/marketing")) as here:
            await here.happened(consent("ada", 1, "granted"), order("ada", 5))
            await here.until(lambda: there.calls)
            await here.happened(consent("ada", 6, "withdrawn"))
            await here.settled()
            [abandoned] = await here.told(DeliveryAbandoned)
            assert (abandoned.why, abandoned.attempts) == ("no_consent", 1)
            assert "withdrawn" in abandoned.reason
            assert len(there.calls) == 1


async def test_rules_that_are_gone_send_nothing(tmp_path: Path) -> None:
    """A message whose trigger is in force no more ends."""
    async with receiver() as there:
        there.answer = Fails(500)
        async with delivering(tmp_path, webhook(there.url)) as here:
            await here.happened(order("ada", 5))
            await here.until(lambda: there.calls)
            await tell_rules(here.log, "")
            await here.settled()
            [abandoned] = await here.told(DeliveryAbandoned)
            assert abandoned.why == "no_trigger"


async def test_a_template_that_fails_is_told(tmp_path: Path) -> None:
    """As a condition that fails is; nothing is sent."""
    rest = 'template = { city = "traits.city" }'
    async with receiver() as there, delivering(tmp_path, webhook(there.url, rest=rest)) as here:
        await here.happened(order("ada", 5))
        await here.settled()
        [abandoned] = await here.told(DeliveryAbandoned)
        assert abandoned.why == "condition_error"
        assert "city" in abandoned.reason
        assert not there.calls


async def test_an_address_that_may_not_be_called_ends_it(tmp_path: Path) -> None:
    """Without an attempt; the receipt says why, and it can be redriven."""
    async with delivering(tmp_path, webhook("http://localhost:1/hook"), embedded=False) as here:
        await here.happened(order("ada", 5))
        await here.settled()
        [abandoned] = await here.told(DeliveryAbandoned)
        assert (abandoned.why, abandoned.attempts) == ("refused", 0)
        assert "https" in abandoned.reason


async def test_a_missing_secret_is_a_failure_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is tried again, and is sent once there is one."""
    monkeypatch.delenv("HEADWATER_WEBHOOK_SECRET_DEFAULT")
    async with receiver() as there, delivering(tmp_path, webhook(there.url)) as here:
        await here.happened(order("ada", 5))
        await here.until(lambda: here.deliveries.queue.failing.get(there.url))
        assert not there.calls
        monkeypatch.setenv("HEADWATER_WEBHOOK_SECRET_DEFAULT", SECRET)
        await here.settled()
        first, *_ = await here.told(DeliveryAttempted)
        assert "set HEADWATER_WEBHOOK_SECRET_DEFAULT" in (first.error or "")
        assert len(there.calls) == 1


async def test_a_file_and_a_topic_get_messages(tmp_path: Path) -> None:
    """A line each, and a record each, in one transaction with its receipt."""
    rules = trigger('file = "sent.jsonl"', "lines") + trigger(f'topic = "{MESSAGES}"', "records")
    async with delivering(tmp_path, rules) as here:
        await here.happened(*(order(f"c{n}", 5 + n) for n in range(30)))
        await here.settled()
        decided = {each.decision_id: each.trigger for each in await here.told(TriggerDecided)}
        lines = [json.loads(line) for line in (tmp_path / "sent.jsonl").read_text().splitlines()]
        found = await records(here.log, MESSAGES)
        said = [json.loads(record.value or b"") for record in found]
        assert [record.key for record in found] == [each["data"]["customer_id"].encode() for each in said]
        sent = Counter(each["data"]["decision_id"] for each in lines + said)
        assert sent == Counter(decided.keys())
        assert {each["data"]["trigger"] for each in said} == {"records"}


async def test_a_restart_neither_forgets_nor_repeats(tmp_path: Path) -> None:
    """What was taken is not sent again, what was not is, and the calls under way end first."""
    entered = asyncio.Event()

    async def slowly(call: Call) -> web.StreamResponse:
        entered.set()
        await asyncio.sleep(DRAIN_S / 10)
        return await fails(call)

    async with receiver() as there:
        fails = Fails(500)
        there.answer = slowly
        async with delivering(tmp_path, webhook(there.url)) as here:
            await here.happened(*(order(f"c{n}", 5 + n) for n in range(10)))
            await entered.wait()
        async with delivering(tmp_path) as here:
            await here.settled()
            assert set(Counter(call.id for call in there.calls).values()) == {2}
            assert len(await here.told(DeliverySucceeded)) == 10


async def test_a_queue_that_was_lost_is_read_again(tmp_path: Path) -> None:
    """From the topic's beginning: nothing that ended is sent again."""
    async with receiver() as there:
        async with delivering(tmp_path, webhook(there.url)) as here:
            await here.happened(*(order(f"c{n}", 5 + n) for n in range(10)))
            await here.settled()
        discard(tmp_path / FILE)
        async with delivering(tmp_path) as here:
            await here.happened(order("late", 50))
            await here.settled()
        assert len(there.calls) == len({call.id for call in there.calls}) == 11
