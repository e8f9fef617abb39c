"""What do triggers and campaigns bring, against those who were held out?

---
title = "Uplift"
group = "promotion"
chart = { kind = "bar", x = "name", y = "difference" }
[parameters]
days = { kind = "integer", default = 30, minimum = 1, maximum = 365, means = "Days after the decision or the message in which an order counts; only what has so many days behind it is compared." }
[columns]
kind = { unit = "text", means = "trigger: those it decided to tell and its holdout, by intention to treat; campaign: its variant 'control' and all others." }
name = { unit = "text", means = "Name of the trigger, or id of the campaign." }
told = { unit = "customers", means = "Customers to be told, at their first decision or message." }
told_ordered = { unit = "customers", means = "Of them, those who ordered in the days after it; a cancelled order never happened." }
held_out = { unit = "customers", means = "Customers held out, or of the variant 'control'." }
held_out_ordered = { unit = "customers", means = "Of them, those who ordered in the days after it." }
told_rate = { unit = "share", means = "Of the told, those who ordered." }
held_out_rate = { unit = "share", means = "Of the held out, those who ordered." }
difference = { unit = "share", means = "Rate of the told less that of the held out; null without either." }
low = { unit = "share", means = "Where the difference begins, at 95 %: Newcombe's hybrid score interval from both Wilson intervals, without continuity correction." }
high = { unit = "share", means = "Where it ends." }
enough = { unit = "text", means = "yes: at least 100 customers in either; no: too few to go by." }
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

from history.outcomes import MEANT
from history.reporting import Ask
from projections.triggers.uplift import ENOUGH, Arm, difference

TRIGGERS = """
SELECT trigger AS name, customer_id, argMin(arm, (occurred_at, offset)) = 'holdout' AS is_held_out,
       min(occurred_at) AS since
FROM (MEANT)
WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
GROUP BY name, customer_id
"""
CAMPAIGNS = """
SELECT campaign_id AS name, customer_id, argMin(lower(ifNull(variant, '')) = 'control', sent_at) AS is_held_out,
       min(sent_at) AS since
FROM campaign_responses_at(as_of = {as_of:DateTime64(3, 'UTC')})
GROUP BY name, customer_id
"""
ARMS = """
WITH firsts AS (
    SELECT name, customer_id, is_held_out, since FROM (FIRSTS)
    WHERE since + toIntervalDay({days:UInt32}) <= {as_of:DateTime64(3, 'UTC')}
)
SELECT name, is_held_out, count() AS customers, countIf((name, customer_id) IN (
    SELECT firsts.name, firsts.customer_id
    FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS orders
    JOIN firsts ON firsts.customer_id = orders.customer_id
    WHERE NOT orders.cancelled AND orders.placed_at > firsts.since
      AND orders.placed_at <= firsts.since + toIntervalDay({days:UInt32})
)) AS ordered
FROM firsts
GROUP BY name, is_held_out
"""


def report(ask: Ask, *, days: int, **_: object) -> Mapping[str, Sequence[object]]:
    rows = []
    for kind, firsts in (("trigger", TRIGGERS.replace("MEANT", MEANT)), ("campaign", CAMPAIGNS)):
        arms: dict[str, dict[bool, Arm]] = {}
        for each in ask(ARMS.replace("FIRSTS", firsts), days=days).to_pylist():
            arm = Arm(each["customers"], each["ordered"])
            arms.setdefault(each["name"], {})[bool(each["is_held_out"])] = arm
        for name, found in arms.items():
            if kind == "trigger" or True in found:  # else the campaign has no control
                rows.append(_row(kind, name, found.get(False, Arm(0, 0)), found.get(True, Arm(0, 0))))
    rows.sort(key=itemgetter("name"))
    rows.sort(key=itemgetter("kind"), reverse=True)
    return {column: [row[column] for row in rows] for column in _row("", "", Arm(0, 0), Arm(0, 0))}


def _row(kind: str, name: str, told: Arm, held_out: Arm) -> dict[str, object]:
    found = difference(told, held_out) if told.customers and held_out.customers else None
    return {
        "kind": kind,
        "name": name,
        "told": told.customers,
        "told_ordered": told.reached,
        "held_out": held_out.customers,
        "held_out_ordered": held_out.reached,
        "told_rate": told.rate,
        "held_out_rate": held_out.rate,
        "difference": found.difference if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "enough": "yes" if min(told.customers, held_out.customers) >= ENOUGH else "no",
    }
