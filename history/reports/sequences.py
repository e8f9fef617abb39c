"""What do customers buy one after another?

---
title = "Purchase sequences"
group = "product"
chart = { kind = "bar", x = "sequence", y = "customers" }
[parameters]
level = { kind = "choice", choices = ["category", "product"], default = "category", means = "Whether categories or products are looked at." }
longest = { kind = "integer", default = 4, minimum = 2, maximum = 8, means = "Purchases of a sequence, at most." }
repeats = { kind = "choice", choices = ["merge", "keep"], default = "merge", means = "Whether the same bought again right after is one step or several." }
orders = { kind = "integer", default = 20, minimum = 2, maximum = 100, means = "A customer's latest orders that are looked at." }
customers = { kind = "integer", default = 20000, minimum = 100, maximum = 200000, means = "Customers who are looked at; of more, one in 2, 3, … is taken by a hash of the id, so that asking again answers the same." }
rows = { kind = "integer", default = 50, minimum = 1, maximum = 500, means = "The most common sequences that are shown." }
[columns]
sequence = { unit = "text", means = "Categories or products in the order of purchase, others in between or not. An order counts as the one that most was paid for; orders of one moment, in the order of their ids." }
steps = { unit = "count", means = "How many purchases." }
customers = { unit = "customers", means = "Customers who bought so, of those who were looked at." }
share = { unit = "share", means = "Those ÷ all who were looked at." }
of = { unit = "customers", means = "Customers with such an order who were looked at." }
"""

from collections.abc import Mapping, Sequence
from math import ceil

from history.reporting import Ask, CannotAnswer

LINES = """
SELECT customer_id, order_id, placed_at, line, toInt128(quantity) * unit_price_minor AS paid_minor,
       if({level:String} = 'category', category, toNullable(sku)) AS item
FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
WHERE NOT cancelled AND item IS NOT NULL
"""
CUSTOMERS = f"SELECT uniqExact(customer_id) AS customers FROM ({LINES})"
SEQUENCES = f"""
SELECT steps, count() AS customers
FROM (
    SELECT customer_id,
           arraySlice(arraySort(groupArray((placed_at, order_id, best))), -{{orders:Int64}}).3 AS bought,
           if({{repeats:String}} = 'merge', arrayCompact(bought), bought) AS steps
    FROM (
        SELECT customer_id, order_id, min(placed_at) AS placed_at, argMin(assumeNotNull(item), (-paid_minor, line)) AS best
        FROM ({LINES})
        WHERE cityHash64(customer_id) % {{parts:UInt64}} = 0
        GROUP BY customer_id, order_id
    )
    GROUP BY customer_id
)
GROUP BY steps
ORDER BY steps
"""


def report(
    ask: Ask, *, level: str, longest: int, repeats: str, orders: int, customers: int, rows: int, **_: object
) -> Mapping[str, Sequence[object]]:
    number = ask(CUSTOMERS, level=level)["customers"][0].as_py()
    if not number:
        raise CannotAnswer(f"No data yet: no order has a line with a {level}.")
    parts = ceil(number / customers)
    found = ask(SEQUENCES, level=level, orders=orders, repeats=repeats, parts=parts)
    weights = found["customers"].to_pylist()
    sequences = found["steps"].to_pylist()
    of = sum(weights)
    common = most_common(sequences, weights, longest, rows)
    if not common:
        raise CannotAnswer(f"No customer has bought two {level} after another yet.")
    return {
        "sequence": [" → ".join(steps) for steps, _ in common],
        "steps": [len(steps) for steps, _ in common],
        "customers": [times for _, times in common],
        "share": [times / of for _, times in common],
        "of": [of] * len(common),
    }


def most_common(
    sequences: list[list[str]], weights: list[int], longest: int, rows: int
) -> list[tuple[list[str], int]]:
    """The sequences of 2 to `longest` steps that most have, each sequence counting as often as its weight.

    Source: J. Pei et al., PrefixSpan: mining sequential patterns efficiently by prefix-projected pattern
    growth, ICDE 2001.
    """
    from prefixspan import PrefixSpan

    names = sorted({step for steps in sequences for step in steps})
    numbers = {name: number for number, name in enumerate(names)}
    mined = PrefixSpan([[numbers[step] for step in steps] for steps in sequences])
    mined.minlen, mined.maxlen = 2, longest

    def times(_: list[int], matches: list[tuple[int, int]]) -> int:
        return sum(weights[at] for at, _ in matches)

    return [
        ([names[step] for step in steps], found) for found, steps in mined.topk(rows, key=times, bound=times)
    ]
