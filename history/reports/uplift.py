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
difference = { unit = "ratio", means = "Rate of the told less that of the held out; null without either." }
low = { unit = "ratio", means = "Where the difference begins, at 95 %: Newcombe's hybrid score interval from both Wilson intervals, without continuity correction." }
high = { unit = "ratio", means = "Where it ends." }
enough = { unit = "text", means = "yes: at least 100 customers in either; no: too few to go by." }
"""

from collections.abc import Mapping, Sequence

from history.outcomes import MEANT
from history.reporting import Ask
from projections.triggers.uplift import ENOUGH, Arm, difference

SENT = """
        SELECT campaign_id, customer_id, variant, occurred_at, event_id FROM CampaignSent FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
"""
FIRSTS = """
    SELECT 'trigger' AS kind, trigger AS name, customer_id, argMin(arm, (occurred_at, offset)) = 'holdout' AS is_held_out,
           min(occurred_at) AS since
    FROM (MEANT)
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
    GROUP BY name, customer_id
    UNION ALL
    SELECT 'campaign', campaign_id, customer_id, argMin(lower(ifNull(variant, '')) = 'control', (occurred_at, event_id)),
           min(occurred_at)
    FROM (SENT)
    WHERE campaign_id IN (SELECT campaign_id FROM (SENT) WHERE lower(ifNull(variant, '')) = 'control')
    GROUP BY campaign_id, customer_id
""".replace("MEANT", MEANT).replace("SENT", SENT)
ARMS = """
SELECT first.1 AS kind, first.2 AS name, first.3 AS is_held_out, count() AS customers,
       countIf(arrayExists(at -> at > first.4 AND at <= first.4 + toIntervalDay({days:UInt32}), placed)) AS ordered
FROM (
    SELECT customer_id, groupArrayIf((kind, name, is_held_out, at), kind != '') AS firsts, groupArrayIf(at, kind = '') AS placed
    FROM (
        SELECT kind, name, customer_id, is_held_out, since AS at FROM (FIRSTS)
        WHERE since + toIntervalDay({days:UInt32}) <= {as_of:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT '', '', customer_id, false, placed_at FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
    )
    GROUP BY customer_id
    HAVING notEmpty(firsts)
)
ARRAY JOIN firsts AS first
GROUP BY kind, name, is_held_out
ORDER BY kind DESC, name
""".replace("FIRSTS", FIRSTS)


def report(ask: Ask, *, days: int, **_: object) -> Mapping[str, Sequence[object]]:
    arms: dict[tuple[str, str], dict[bool, Arm]] = {}
    for each in ask(ARMS, days=days).to_pylist():
        arm = Arm(each["customers"], each["ordered"])
        arms.setdefault((each["kind"], each["name"]), {})[bool(each["is_held_out"])] = arm
    rows = [
        _row(kind, name, found.get(False, Arm(0, 0)), found.get(True, Arm(0, 0)))
        for (kind, name), found in arms.items()
        if kind == "trigger" or True in found  # else the campaign had no control yet
    ]
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
