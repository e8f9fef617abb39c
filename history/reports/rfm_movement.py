"""Where have customers moved between two days, by RFM score or stage?

---
title = "RFM movement"
group = "rfm"
chart = { kind = "heatmap", x = "after", y = "before", value = "customers" }
[parameters]
since = { kind = "date", means = "The earlier of the two days, as it begins where the business is; 90 days before as_of when left out." }
of = { kind = "choice", choices = ["total", "r", "f", "m", "cell", "stage"], default = "total", means = "What moves: the band of the total score r + f + m (13-15, 10-12, 7-9, 4-6, 3), one score, the cell r × f, or the lifecycle stage." }
[columns]
before = { unit = "text", means = "Where they were then, by the boundaries of then; none: without an order, or of the stage, before one was announced; unknown: m is not, as no order could be converted." }
after = { unit = "text", means = "Where they are as of the report, by its boundaries." }
customers = { unit = "customers", means = "Customers who went that way, or stayed." }
share = { unit = "share", means = "Of all who were there before." }
net = { unit = "money", means = "What their net to date has grown by since." }
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from history.reporting import Ask, CannotAnswer, clickhouse_time

PLACES = {
    "total": "multiIf(m IS NULL, 'unknown', r + f + m >= 13, '13-15', r + f + m >= 10, '10-12', r + f + m >= 7, '7-9', "
    "r + f + m >= 4, '4-6', r + f + m = 3, '3', NULL)",
    "r": "toString(r)",
    "f": "toString(f)",
    "m": "ifNull(toString(m), 'unknown')",
    "cell": "concat(toString(r), '×', toString(f))",
    "stage": "NULL",
}
STAGES = """
    UNION ALL
    SELECT customer_id, stage, 0, false FROM stages_at(as_of = {since:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT customer_id, stage, 0, true FROM stages_at(as_of = {as_of:DateTime64(3, 'UTC')})
"""
MOVED = """
WITH places AS (
    SELECT customer_id, PLACE AS place, ifNull(net_base_minor, 0) AS net, false AS is_after
    FROM buyers_at(as_of = {since:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT customer_id, PLACE, ifNull(net_base_minor, 0), true
    FROM buyers_at(as_of = {as_of:DateTime64(3, 'UTC')}) STAGES
)
SELECT before, after, count() AS customers, customers / sum(customers) OVER (PARTITION BY before) AS share, accurateCastOrNull(sum(toInt128(grown)), 'Int64') AS net
FROM (
    SELECT ifNull(maxOrNullIf(place, NOT is_after), 'none') AS before, ifNull(maxOrNullIf(place, is_after), 'none') AS after,
           sum(if(is_after, net, -net)) AS grown
    FROM places
    GROUP BY customer_id
)
WHERE before != 'none' OR after != 'none'
GROUP BY before, after
ORDER BY length(before), before, length(after), after
"""


def report(
    ask: Ask, *, since: date | None, of: str, as_of: datetime, timezone: str
) -> Mapping[str, Sequence[object]]:
    zone = ZoneInfo(timezone)
    day = since or (as_of.astimezone(zone) - timedelta(days=90)).date()
    begins = datetime.combine(day, time(), zone)
    if begins > as_of:
        raise CannotAnswer(f"{day} is after {as_of:%Y-%m-%d}: ask since an earlier day.")
    moment = clickhouse_time(int(begins.timestamp() * 1000))
    query = MOVED.replace("PLACE", PLACES[of]).replace("STAGES", STAGES if of == "stage" else "")
    return ask(query, since=moment).to_pydict()  # type: ignore[no-any-return]
