"""Are customers counted by what they are, and by the month they came in, as pandas counts the events?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from schemas.events import CustomerRegistered, Event, LifecycleChanged, TraitsUpdated
from tests.integration.reports.small_shop import (
    customer_events,
    frame,
    money,
    month,
    null_unless,
    orders,
    same,
    shop,
)
from tests.reporting import answer, history_of, told

NOW, THEN = "2026-01-01T00:00:00Z", "2025-03-31T15:30:00Z"
Of = dict[str, str | None]


def first(as_of: str, column: str) -> Of:
    """Customer -> what the first event says, if it does."""
    seen = customer_events(shop(), as_of).drop_duplicates("customer_id")
    return {
        who: None if pd.isna(value) else value
        for who, value in zip(seen["customer_id"], seen[column], strict=True)
    }


def traits(as_of: str) -> dict[str, dict[str, str]]:
    """Customer -> traits, as told up to as_of."""
    known: dict[str, dict[str, str]] = {}
    registered, updated = frame(shop(), CustomerRegistered, as_of), frame(shop(), TraitsUpdated, as_of)
    for telling in sorted([*registered.itertuples(), *updated.itertuples()], key=lambda each: each.at):
        of = known.setdefault(telling.customer_id, {})
        of.update(telling.traits)
        for name in getattr(telling, "removed", ()):
            of.pop(name, None)
    return known


def latest(kind: type[Event], column: str, as_of: str) -> Of:
    """Customer -> what the latest event of that type says."""
    return dict(frame(shop(), kind, as_of).groupby("customer_id")[column].last())


def by(what: str, as_of: str) -> Of:
    everybody: Of = dict.fromkeys(customer_events(shop(), as_of)["customer_id"])
    known = traits(as_of)
    found: Mapping[str, Callable[[], Of]] = {
        "region": lambda: {who: t.get("region") or t.get("country") or None for who, t in known.items()},
        "trait": lambda: {who: t.get("city") or None for who, t in known.items()},
        "channel": lambda: first(as_of, "channel"),
        "source": lambda: first(as_of, "source"),
        "kind": lambda: latest(CustomerRegistered, "kind", as_of),
        "stage": lambda: dict.fromkeys(everybody, "prospect") | latest(LifecycleChanged, "to_stage", as_of),
    }
    return everybody | found[what]()


def bought(as_of: str) -> pd.DataFrame:
    """By customer: orders, and their net in the base currency, missing where nothing can be converted."""
    return (
        orders(shop(), as_of)
        .groupby("customer_id")
        .agg(orders=("order_id", "size"), net=("base", lambda base: base.sum(min_count=1)))
    )


def counted(whom: Sequence[str], each: pd.DataFrame) -> dict[str, object]:
    """What both reports say of a group of customers."""
    group = each.loc[each.index.intersection(list(whom))]
    net = group["net"].sum(min_count=1) if len(group) else 0
    return {
        "buyers": len(group),
        "orders": int(group["orders"].sum()),
        "net": money(None if pd.isna(net) else int(net)),
    }


def grouped(of: Mapping[str, object]) -> dict[object, list[str]]:
    groups: dict[object, list[str]] = {}
    for who, value in of.items():
        groups.setdefault(value, []).append(who)
    return groups


def nulls_last(value: object) -> tuple[bool, bytes]:
    return (value is None, str(value).encode())


@pytest.mark.parametrize("as_of", [NOW, THEN])
@pytest.mark.parametrize("what", ["region", "trait", "channel", "kind", "stage", "source"])
async def test_customers_are_counted_by_what_they_are(tmp_path: Path, what: str, as_of: str) -> None:
    """Each grouping has its customers, their orders and their net, and shares of all."""
    found = await answer(await history_of(tmp_path, shop()), "customers_by", by=what, as_of=as_of)
    each, groups = bought(as_of), grouped(by(what, as_of))
    rows = [{"value": value, "customers": len(whom)} | counted(whom, each) for value, whom in groups.items()]
    everybody, revenue = sum(len(whom) for whom in groups.values()), sum(row["net"] or 0 for row in rows)
    same(
        found,
        (
            {
                "value": row["value"],
                "customers": row["customers"],
                "share": row["customers"] / everybody,
                "buyers": row["buyers"],
                "orders": row["orders"],
                "net": row["net"],
                "net_share": None if row["net"] is None else float(row["net"]) / float(revenue),
            }
            for row in sorted(rows, key=lambda row: (-row["customers"], nulls_last(row["value"])))
        ),
    )


async def test_only_the_most_common_values_are_shown(tmp_path: Path) -> None:
    """Shares stay those of all customers."""
    history = await history_of(tmp_path, shop())
    whole, cut = [await answer(history, "customers_by", by="trait", top=top) for top in (50, 2)]
    pd.testing.assert_frame_equal(whole.head(2), cut)


@pytest.mark.parametrize(
    ("as_of", "timezone"), [(NOW, "UTC"), (THEN, "Asia/Tokyo"), (THEN, "America/New_York")]
)
@pytest.mark.parametrize("what", ["source", "channel"])
async def test_new_customers_are_counted_by_month_and_source(
    tmp_path: Path, what: str, as_of: str, timezone: str
) -> None:
    """A month begins where the business is: the last half hour of March in UTC is April in Tokyo."""
    history = await history_of(tmp_path, shop())
    found = await answer(history, "acquisition", by=what, as_of=as_of, timezone=timezone, months=600)
    values, each = by(what, as_of), bought(as_of)
    since = customer_events(shop(), as_of).groupby("customer_id")["at"].min()
    groups = grouped({who: (month(at, timezone), values[who]) for who, at in since.items()})
    of_month = pd.Series([month(at, timezone) for at in since]).value_counts()
    now = month(pd.Timestamp(as_of), timezone)
    same(
        found,
        (
            {"month": began, "value": value}
            | null_unless(
                began < now,
                {
                    "customers": len(whom),
                    "share": len(whom) / int(of_month[began]),
                    **counted(whom, each),
                },
            )
            for (began, value), whom in sorted(groups.items(), key=lambda g: (g[0][0], nulls_last(g[0][1])))
        ),
    )


async def test_only_the_months_asked_for_are_shown(tmp_path: Path) -> None:
    """The month of as_of is the last one, and of it nothing is said."""
    history = await history_of(tmp_path, shop())
    found = await answer(history, "acquisition", as_of="2025-06-20T00:00:00Z", months=3)
    assert [str(began) for began in sorted(set(found["month"]))] == ["2025-04-01", "2025-05-01", "2025-06-01"]
    told_of = found.drop(columns=["month", "value"]).notna().groupby(found["month"].astype(str))
    assert told_of.any().any(axis=1).tolist() == [True, True, False]


async def test_who_never_ordered_is_a_customer_too(tmp_path: Path) -> None:
    """One customer without an order or a trait is counted, with no net."""
    lone: Iterable[Event] = [event for event in shop() if getattr(event, "customer_id", "") == "c001"][:1]
    history = await history_of(tmp_path, lone)
    found = await answer(history, "customers_by")
    assert found[["customers", "buyers", "orders"]].values.tolist() == [[1, 0, 0]]
    assert (await told(history, "acquisition")).table.num_rows == 1
