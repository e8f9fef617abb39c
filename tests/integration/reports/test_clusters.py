"""Are the clusters those that scikit-learn finds in the events, and do their descriptions hold?"""

import re
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from schemas.events import BaseCurrencySet, Event, OrderPlaced
from tests.integration.reports.small_shop import DAY_MS, cdnow_orders, money, orders, shop
from tests.reporting import answer, history_of, told

CDNOW_END, CDNOW_THEN = "1998-06-30T00:00:00Z", "1997-12-31T00:00:00Z"
TENTH = tuple(event for event in cdnow_orders() if int(event.customer_id) % 10 == 0)  # type: ignore[attr-defined]
FEATURES = ["recency_days", "orders", "net", "tenure_days"]


def features(events: tuple[Event, ...], as_of: str) -> pd.DataFrame:
    """A row each customer with an order whose net can be converted; net in minor units."""
    moment = int(pd.Timestamp(as_of).timestamp() * 1000)
    each = (
        orders(events, as_of)
        .groupby("customer_id")
        .agg(
            first=("occurred_at", "min"),
            last=("occurred_at", "max"),
            orders=("order_id", "size"),
            net=("base", lambda base: base.sum(min_count=1)),
        )
    )
    each["recency_days"], each["tenure_days"] = (
        (moment - each["last"]) // DAY_MS,
        (moment - each["first"]) // DAY_MS,
    )
    return each.dropna(subset=["net"])[FEATURES].astype(int)


def holding(words: str, known: pd.DataFrame) -> np.ndarray:
    """Of whom the words are true."""
    held = np.ones(len(known), dtype=bool)
    for step in words.split(" and "):
        name, sign, limit = re.fullmatch(r"(\w+) (>|<=) (-?[\d.]+)", step).groups()  # type: ignore[union-attr]
        values = known[name] / 100 if name == "net" else known[name]
        held &= (values > float(limit)) if sign == ">" else (values <= float(limit))
    return held


@pytest.mark.parametrize("as_of", [CDNOW_END, CDNOW_THEN])
@pytest.mark.parametrize("k", [3, 5])
async def test_the_clusters_of_cdnow_are_those_of_scikit_learn(tmp_path: Path, k: int, as_of: str) -> None:
    """Sizes, means and shares are those of k-means over the same features, and the words hold as told."""
    history = await history_of(tmp_path, TENTH)
    found = await answer(history, "clusters", as_of=as_of, clusters=k)
    known = features(TENTH, as_of)
    known = known.sort_values(FEATURES[::-1])
    places = StandardScaler().fit_transform(np.log1p(known))
    # other starts find clusters that are as good, and differ in a few customers
    labels = KMeans(k, n_init=10, random_state=7, tol=0).fit(places).labels_
    groups = sorted((group for _, group in known.groupby(labels)), key=lambda group: -group["net"].sum())
    assert found["cluster"].tolist() == list(range(1, k + 1))
    for row, group in zip(found.itertuples(), groups, strict=True):
        assert row.customers == len(group)
        assert row.share == pytest.approx(len(group) / len(known), abs=1e-12)
        for name in ("recency_days", "orders", "tenure_days"):
            assert getattr(row, name) == pytest.approx(group[name].mean(), rel=1e-9)
        assert row.revenue == money(group["net"].sum())
        assert row.net == money(round(group["net"].sum() / len(group)))
        assert row.revenue_share == pytest.approx(group["net"].sum() / known["net"].sum(), rel=1e-9)
        held, member = holding(row.description, known), known.index.isin(group.index)
        assert row.described == pytest.approx(held[member].mean(), abs=1e-12)
        assert row.precision == pytest.approx(member[held].mean(), abs=1e-12)
        assert min(row.described, row.precision) > 0.5


async def test_of_many_customers_some_are_learned_from_and_all_are_counted(tmp_path: Path) -> None:
    """CDNOW has more than are learned from: each is in a cluster, and the clusters are about the same."""
    history = await history_of(tmp_path, cdnow_orders())
    found = await answer(history, "clusters", as_of=CDNOW_END, clusters=3)
    known = features(cdnow_orders(), CDNOW_END)
    places = StandardScaler().fit_transform(np.log1p(known))
    labels = KMeans(3, n_init=10, random_state=1).fit(places).labels_
    groups = sorted((group for _, group in known.groupby(labels)), key=lambda group: -group["net"].sum())
    assert found["customers"].sum() == len(known) > 20_000
    assert found["revenue"].sum() == money(known["net"].sum())
    assert found["share"].tolist() == pytest.approx([len(group) / len(known) for group in groups], abs=0.02)


async def test_the_answer_is_the_same_each_time(tmp_path: Path) -> None:
    """Nothing is left to chance."""
    history = await history_of(tmp_path, shop())
    pd.testing.assert_frame_equal(await answer(history, "clusters"), await answer(history, "clusters"))


async def test_customers_without_a_rate_are_left_out_and_said_so(tmp_path: Path) -> None:
    """Who paid in pounds only is in no cluster."""
    history = await history_of(tmp_path, shop())
    whole = await told(history, "clusters", clusters=2)
    assert sum(whole.table.column("customers").to_pylist()) == len(features(shop(), "2026-01-01T00:00:00Z"))
    assert "GBP are left out" in (whole.note or "")


async def test_a_description_has_whole_yen(tmp_path: Path) -> None:
    """A currency without minor units is written without decimals."""
    base = next(event for event in shop() if isinstance(event, BaseCurrencySet))
    yen: list[Event] = [msgspec.structs.replace(base, currency="JPY")]
    yen += [
        msgspec.structs.replace(event, currency="JPY") for event in shop() if isinstance(event, OrderPlaced)
    ]
    whole = await told(await history_of(tmp_path, yen), "clusters", depth=4)
    words = " and ".join(filter(None, whole.table.column("description").to_pylist()))
    assert re.search(r"net (>|<=) \d+", words)
    assert "." not in words


async def test_too_few_customers_are_said_to_be_too_few(tmp_path: Path) -> None:
    """Two customers who bought the same are one to tell apart."""
    whole = await told(await history_of(tmp_path, cdnow_orders()[:1]), "clusters")
    assert whole.table.num_rows == 0
    assert whole.note == "needs at least 5 customers who bought differently for 5 clusters: there are 1."
