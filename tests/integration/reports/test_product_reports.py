"""What is bought together and one after another: do mlxtend, PrefixSpan and pandas say so, too?"""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
import pytest
from mlxtend.frequent_patterns import association_rules, fpgrowth
from prefixspan import PrefixSpan

from cli.sample import complete_journey
from history.store import History
from schemas.events import Event
from tests import recomputed
from tests.integration.test_complete_journey import OF_HOUSEHOLDS, table
from tests.reporting import answer, history_of, told

END, MIDDLE = "2018-01-02T00:00:00Z", "2017-07-01T00:00:00Z"
ONE_IN = 40  # households


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """Some households of Complete Journey."""
    folder = tmp_path_factory.mktemp("some")
    for name in complete_journey.TABLES:
        frame = table(name)
        if name in OF_HOUSEHOLDS:
            frame = frame[frame["household_id"] % ONE_IN == 0]
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return list(complete_journey.told(folder, shift_days=0, received_at=0))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> History:
    return asyncio.run(history_of(tmp_path_factory.mktemp("journey"), events))


def rules(lines: pd.DataFrame, item: str, support: float, confidence: float) -> pd.DataFrame:
    """By mlxtend's own fpgrowth, of one row a basket."""
    baskets = lines.groupby(["customer_id", "order_id"]).ngroup()
    bought = pd.crosstab(baskets, lines[item]).astype(bool)
    sets = fpgrowth(
        bought.reindex(range(baskets.nunique()), fill_value=False), support, use_colnames=True, max_len=3
    )
    found = association_rules(sets, metric="confidence", min_threshold=confidence)
    return pd.DataFrame(
        {
            "when": [" + ".join(sorted(each)) for each in found["antecedents"]],
            "then": [" + ".join(sorted(each)) for each in found["consequents"]],
            **{name: found[name] for name in ("support", "confidence", "lift")},
        }
    )


@pytest.mark.parametrize(
    ("level", "item", "as_of", "support"),
    [
        ("product", "sku", END, 0.005),
        ("category", "category", END, 0.04),
        ("category", "category", MIDDLE, 0.05),
    ],
)
async def test_rules_are_those_of_mlxtend(
    history: History, events: list[Event], level: str, item: str, as_of: str, support: float
) -> None:
    """Equal baskets that are counted once give what one row a basket gives."""
    lines = recomputed.lines(events, as_of)
    expected = rules(lines, item, support, 0.2)
    found = await answer(
        history,
        "association_rules",
        as_of=as_of,
        level=level,
        minimum_support=support,
        minimum_confidence=0.2,
        rows=10_000,
    )
    assert len(expected) > 20
    key = ["when", "then"]
    pd.testing.assert_frame_equal(
        found.sort_values(key)[expected.columns].reset_index(drop=True),
        expected.sort_values(key).reset_index(drop=True),
        check_dtype=False,
    )
    baskets = lines.groupby(["customer_id", "order_id"]).ngroups
    assert set(found["of"]) == {baskets}
    assert list(found["baskets"]) == [round(share * baskets) for share in found["support"]]
    assert list(found["lift"]) == sorted(found["lift"], reverse=True)


async def test_a_sample_of_the_baskets_is_a_part_of_them(history: History, events: list[Event]) -> None:
    """Over the bound, one basket in k by its hash: fewer, but shares are near those of all."""
    asked = {"as_of": END, "minimum_support": 0.02, "level": "category"}
    whole = await answer(history, "association_rules", **asked)
    some = await answer(history, "association_rules", **asked, baskets=1000)
    assert some["of"].iloc[0] < whole["of"].iloc[0] * 0.75
    both = whole.merge(some, on=["when", "then"])
    assert len(both) > 20
    assert (both["confidence_x"] - both["confidence_y"]).abs().mean() < 0.1


async def test_too_many_sets_are_not_begun(history: History) -> None:
    """The note says what to raise."""
    found = await told(history, "association_rules", as_of=END, minimum_support=0.000001)
    assert found.table.num_rows == 0
    assert "raise minimum_support" in str(found.note)


def steps(lines: pd.DataFrame, item: str, orders: int, merge: bool) -> list[list[str]]:
    """Each customer's latest orders, as the item that most was paid for."""
    known = lines.dropna(subset=[item]).sort_values(["value", "line"], ascending=[False, True], kind="stable")
    best = known.groupby(["customer_id", "order_id"], sort=False).first().reset_index()
    best = best.sort_values(["at", "order_id"], kind="stable")
    found = [list(each)[-orders:] for _, each in best.groupby("customer_id")[item]]
    if merge:
        found = [[all_[0], *(b for a, b in pairwise(all_) if a != b)] for all_ in found]
    return found


def has(sequence: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether they come in that order, others in between or not."""
    rest = iter(sequence)
    return all(step in rest for step in wanted)


@pytest.mark.parametrize(
    ("level", "item", "as_of", "repeats"),
    [
        ("category", "category", END, "merge"),
        ("category", "category", MIDDLE, "keep"),
        ("product", "sku", END, "merge"),
    ],
)
async def test_sequences_are_those_of_prefixspan(
    history: History, events: list[Event], level: str, item: str, as_of: str, repeats: str
) -> None:
    """The most common ones of the library, and each is counted again by hand."""
    sequences = steps(recomputed.lines(events, as_of), item, 20, repeats == "merge")
    mined = PrefixSpan(sequences)
    mined.minlen, mined.maxlen = 2, 3
    expected = [times for times, _ in mined.topk(40)]
    found = await answer(history, "sequences", as_of=as_of, level=level, longest=3, repeats=repeats, rows=40)
    assert list(found["customers"]) == expected
    assert set(found["of"]) == {len(sequences)}
    for row in found.itertuples():
        wanted = row.sequence.split(" → ")
        assert (len(wanted), row.customers) == (row.steps, sum(has(each, wanted) for each in sequences))
        assert row.share == row.customers / len(sequences)


def pairs(lines: pd.DataFrame, item: str, known: set[str]) -> pd.DataFrame:
    """bought, next, times, followed, share, lift of each customer's successive moments."""
    rows = []
    for _, each in lines.groupby("customer_id"):
        baskets = [set(bought.dropna()) & known for _, bought in each.groupby("at")[item]]
        rows += [(a, b) for a, b in pairwise(baskets)]
    first, second = pd.Series([a for a, _ in rows]).explode(), pd.Series([b for _, b in rows]).explode()
    joint = pd.DataFrame({"bought": first}).join(second.rename("next")).dropna()
    found = joint.groupby(["bought", "next"]).size().rename("times").reset_index()
    found["followed"] = found["bought"].map(first.value_counts())
    found["share"] = found["times"] / found["followed"]
    found["lift"] = found["share"] / (found["next"].map(second.value_counts()) / len(rows))
    return found.sort_values(["times", "bought", "next"], ascending=[False, True, True]).reset_index(
        drop=True
    )


@pytest.mark.parametrize(
    ("level", "item", "as_of"),
    [("product", "sku", END), ("category", "category", END), ("category", "category", MIDDLE)],
)
async def test_the_next_order_is_counted(
    history: History, events: list[Event], level: str, item: str, as_of: str
) -> None:
    """Every pair of the most bought ones, its share and its lift."""
    lines = recomputed.lines(events, as_of)
    most = lines[item].value_counts().rename_axis("item").reset_index()
    known = set(most.sort_values(["count", "item"], ascending=[False, True])["item"][:100])
    expected = pairs(lines, item, known)
    found = await answer(history, "next_product", as_of=as_of, level=level, items=100, rows=10_000)
    pd.testing.assert_frame_equal(found, expected[list(found)], check_dtype=False)
    name = expected["bought"].iloc[-1]
    only = await answer(
        history, "next_product", as_of=as_of, level=level, bought=name, items=100, rows=10_000
    )
    of_one = expected[expected["bought"] == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(only, of_one[list(only)], check_dtype=False)
