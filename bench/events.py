"""Which events do the benchmarks use? Generated ones: 25 % orders, customers uniform or Zipf.

Of every 4 events one is an OrderPlaced (one line, 5.00 to 199.99 USD); the others are PageViewed,
ProductViewed and CartUpdated, drawn 70/20/10. Event time rises by a constant step, so that the whole stream
spans `days`. Everything follows from `seed`.
"""

import itertools
import random
import uuid
from collections.abc import Iterator
from typing import Literal

from schemas.events import CartUpdated, CustomerEvent, OrderLine, OrderPlaced, PageViewed, ProductViewed

DAY_MS = 86_400_000
Spread = Literal["uniform", "zipf"]
CHANNELS = ("web", "app", "store", "phone")


def generate(
    count: int,
    customers: int,
    *,
    spread: Spread = "uniform",
    end_ms: int,
    days: int = 365,
    seed: int = 7,
) -> Iterator[CustomerEvent]:
    """`count` events of up to `customers` customers, in event-time order, the last one at `end_ms`."""
    rng = random.Random(seed)
    start_ms, step = end_ms - days * DAY_MS, days * DAY_MS / max(count, 1)
    for n, customer in enumerate(_customers(rng, count, customers, spread)):
        common = {
            "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "customer_id": f"c{customer:08d}",
            "occurred_at": start_ms + int((n + 1) * step),
            "received_at": end_ms,
            "source": "bench",
            "channel": CHANNELS[rng.randrange(4)],
        }
        yield _event(rng, n, common)


def _event(rng: random.Random, n: int, common: dict[str, object]) -> CustomerEvent:
    if n % 4 == 0:
        amount = rng.randrange(500, 20_000)
        line = OrderLine(sku=f"sku-{rng.randrange(1000)}", quantity=1, unit_price_minor=amount)
        return OrderPlaced(**common, order_id=f"o-{n}", amount_minor=amount, currency="USD", lines=(line,))  # type: ignore[arg-type]
    draw = rng.random()
    if draw < 0.7:
        return PageViewed(**common, url=f"/p/{rng.randrange(1000)}")  # type: ignore[arg-type]
    if draw < 0.9:
        return ProductViewed(**common, sku=f"sku-{rng.randrange(1000)}")  # type: ignore[arg-type]
    return CartUpdated(**common)  # type: ignore[arg-type]


def _customers(rng: random.Random, count: int, customers: int, spread: str) -> Iterator[int]:
    if spread == "uniform":
        return (rng.randrange(customers) for _ in range(count))
    weights = list(itertools.accumulate(1 / rank for rank in range(1, customers + 1)))
    return iter(rng.choices(range(customers), cum_weights=weights, k=count))
