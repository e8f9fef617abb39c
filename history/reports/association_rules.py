"""Which products are bought together, and how much more often than by chance?

---
title = "Association rules"
group = "product"
chart = { kind = "scatter", x = "support", y = "confidence", value = "lift" }
[parameters]
minimum_support = { kind = "number", default = 0.001, minimum = 0.000001, maximum = 1, means = "Share of baskets that must have all of a rule." }
minimum_confidence = { kind = "number", default = 0.1, minimum = 0, maximum = 1, means = "Share of the baskets with the first that must have the second, too." }
level = { kind = "choice", choices = ["product", "category"], default = "product", means = "Whether products or their categories are looked at." }
longest = { kind = "integer", default = 3, minimum = 2, maximum = 5, means = "Products of a rule, at most." }
items = { kind = "integer", default = 1000, minimum = 2, maximum = 5000, means = "Only this many of the most bought products or categories are looked at." }
baskets = { kind = "integer", default = 100000, minimum = 1000, maximum = 1000000, means = "Different baskets that are looked at. Equal ones are looked at once, with their number; of more different ones, every second, third … order is left out or taken by its hash, so that asking again answers the same." }
rows = { kind = "integer", default = 200, minimum = 1, maximum = 10000, means = "The rules of highest lift that are shown." }
[columns]
when = { unit = "text", means = "Products or categories of a basket." }
then = { unit = "text", means = "Products or categories that are in such baskets, too." }
baskets = { unit = "count", means = "Baskets that have all of them, of those that were looked at. A basket is an order with lines." }
support = { unit = "share", means = "Those ÷ all baskets that were looked at." }
confidence = { unit = "share", means = "Those ÷ the baskets that have the first." }
lift = { unit = "ratio", means = "Confidence ÷ the share of baskets that have the second: 1 is chance." }
of = { unit = "count", means = "All baskets that were looked at." }
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import ceil
from typing import Any

from history.reporting import Ask, CannotAnswer

MOST_ITEMSETS = 50_000
SETS = """
WITH sets AS (
    SELECT cityHash64(customer_id, order_id) AS basket,
           arraySort(arrayDistinct(groupArray(if({level:String} = 'category', category, toNullable(sku))))) AS bought
    FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE NOT cancelled AND cityHash64(customer_id, order_id) % {parts:UInt64} = 0
    GROUP BY basket
)
"""
DIFFERENT = f"{SETS} SELECT uniqExact(cityHash64(bought)) AS different FROM sets"
BASKETS = f"{SETS} SELECT bought, count() AS times FROM sets GROUP BY bought ORDER BY bought"


def report(
    ask: Ask,
    *,
    minimum_support: float,
    minimum_confidence: float,
    level: str,
    longest: int,
    items: int,
    baskets: int,
    rows: int,
    **_: object,
) -> Mapping[str, Sequence[object]]:
    different = ask(DIFFERENT, level=level, parts=1)["different"][0].as_py()
    found = ask(BASKETS, level=level, parts=max(1, ceil(different / baskets)))
    bought, times = found["bought"].to_pylist(), found["times"].to_pylist()
    of = sum(times)
    if not any(bought):
        raise CannotAnswer(f"No data yet: no order has a line with a {level}.")
    least = max(1, ceil(minimum_support * of))
    sets = dict(islice(_itemsets(bought, times, least, longest, items), MOST_ITEMSETS + 1))
    if len(sets) > MOST_ITEMSETS:
        raise CannotAnswer(
            f"More than {MOST_ITEMSETS:,} sets of {level}s are that frequent: raise minimum_support "
            f"above {minimum_support:g}, or lower longest or items."
        )
    if all(len(each) == 1 for each in sets):
        raise CannotAnswer(
            f"No two of a {level} are in {least:,} of {of:,} baskets: lower minimum_support, if there are more."
        )
    rules = _rules(sets, of, minimum_confidence)
    if not rules:
        raise CannotAnswer(f"No rule has a confidence of {minimum_confidence:g}: lower minimum_confidence.")
    rules.sort(key=lambda rule: (-rule["lift"], -rule["baskets"], rule["when"], rule["then"]))
    columns = ("when", "then", "baskets", "support", "confidence", "lift", "of")
    return {column: [rule[column] for rule in rules[:rows]] for column in columns}


def _itemsets(
    bought: list[list[str]], times: list[int], least: int, longest: int, items: int
) -> Iterator[tuple[frozenset[str], int]]:
    """Each frequent set with the number of its baskets: FP-growth over different baskets with their number.

    Source: J. Han, J. Pei, Y. Yin, Mining frequent patterns without candidate generation, SIGMOD 2000.
    mlxtend's own fpgrowth() takes one row a basket, so its tree is filled here.
    """
    from mlxtend.frequent_patterns.fpcommon import FPTree  # takes a second, so not at every start
    from mlxtend.frequent_patterns.fpgrowth import fpg_step

    counts: dict[str, int] = {}
    for basket, number in zip(bought, times, strict=True):
        for item in basket:
            counts[item] = counts.get(item, 0) + number
    frequent = (item for item, number in counts.items() if number >= least)
    kept = sorted(frequent, key=lambda item: (-counts[item], item))[:items]
    rank = {item: at for at, item in enumerate(reversed(kept))}
    tree = FPTree(rank)
    for basket, number in zip(bought, times, strict=True):
        tree.insert_itemset(
            sorted((i for i in basket if i in rank), key=rank.__getitem__, reverse=True), number
        )
    for number, itemset in fpg_step(tree, least, None, longest, 0):
        yield frozenset(itemset), number


def _rules(sets: Mapping[frozenset[str], int], of: int, minimum_confidence: float) -> list[dict[str, Any]]:
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules

    frame = pd.DataFrame({"support": [number / of for number in sets.values()], "itemsets": list(sets)})
    found = association_rules(
        frame, of, min_threshold=minimum_confidence, return_metrics=["support", "confidence", "lift"]
    )
    return [
        {
            "when": " + ".join(sorted(when)),
            "then": " + ".join(sorted(then)),
            "baskets": sets[when | then],
            "support": support,
            "confidence": confidence,
            "lift": lift,
            "of": of,
        }
        for when, then, support, confidence, lift in zip(
            *(found[name] for name in ("antecedents", "consequents", "support", "confidence", "lift")),
            strict=True,
        )
    ]
