"""Which RFM cells answer campaigns?
---
title = "Campaign response by RFM cell"
group = "promotion"
chart = { kind = "heatmap", x = "f", y = "r", value = "click_rate" }
[parameters]
campaign = { kind = "text", means = "One campaign, by its id; all when left out." }
since = { kind = "date", means = "Messages sent from this day on, where the business is. When left out: all of the one campaign, or those of all campaigns in the 90 days before as_of." }
[columns]
r = { unit = "score", means = "Recency score of the customer as of the first message that counts here, so that no answer is in it; 5 the most recent, null without an order by then." }
f = { unit = "score", means = "Frequency score as of that moment, 5 the most frequent; null without an order by then." }
customers = { unit = "customers", means = "Customers of the cell that a message went to." }
sent = { unit = "count", means = "Messages sent to them." }
delivered = { unit = "count", means = "Messages that did not bounce." }
opened = { unit = "count", means = "Of the delivered, those that were opened; what a mail program fetched unasked does not count." }
clicked = { unit = "count", means = "Of the delivered, those of which a link was followed." }
redeemed = { unit = "count", means = "Of the delivered, those whose customer redeemed a coupon of the campaign after it." }
open_rate = { unit = "share", means = "Opened ÷ delivered." }
click_rate = { unit = "share", means = "Clicked ÷ delivered." }
redeem_rate = { unit = "share", means = "Redeemed ÷ delivered." }
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from history.report_values import FIRST_DATE
from history.reporting import Ask, CannotAnswer, clickhouse_time

ASKED = """({campaign:Nullable(String)} IS NULL OR campaign_id = {campaign:Nullable(String)})
      AND ({since:Nullable(Date32)} IS NULL OR toDate32(sent_at, {timezone:String}) >= {since:Nullable(Date32)})
"""
FIRST = f"""
SELECT toUnixTimestamp64Milli(minOrNull(occurred_at AS sent_at)) AS first_ms
FROM CampaignSent FINAL
WHERE occurred_at <= {{as_of:DateTime64(3, 'UTC')}} AND {ASKED}
  AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
"""
CELLS = f"""
WITH responses AS (
    SELECT customer_id, count() AS sent, countIf(bounced_at IS NULL) AS delivered,
           countIf(bounced_at IS NULL AND opened_at IS NOT NULL) AS opened,
           countIf(bounced_at IS NULL AND clicked_at IS NOT NULL) AS clicked,
           countIf(bounced_at IS NULL AND redeemed_at IS NOT NULL) AS redeemed
    FROM campaign_responses_at(as_of = {{as_of:DateTime64(3, 'UTC')}})
    WHERE {ASKED}
    GROUP BY customer_id
)
SELECT nullIf(buyers.r, 0) AS r, nullIf(buyers.f, 0) AS f, count() AS customers, sum(responses.sent) AS sent,
       sum(responses.delivered) AS delivered, sum(responses.opened) AS opened, sum(responses.clicked) AS clicked,
       sum(responses.redeemed) AS redeemed, opened / nullIf(delivered, 0) AS open_rate,
       clicked / nullIf(delivered, 0) AS click_rate, redeemed / nullIf(delivered, 0) AS redeem_rate
FROM responses
LEFT JOIN (SELECT customer_id, r, f FROM buyers_at(as_of = {{scored_at:DateTime64(3, 'UTC')}})) AS buyers
    ON buyers.customer_id = responses.customer_id
GROUP BY r, f
ORDER BY r DESC NULLS LAST, f DESC NULLS LAST
"""
ALL_CAMPAIGNS_DAYS = 90


def report(
    ask: Ask, *, campaign: str | None, since: date | None, as_of: datetime, timezone: str
) -> Mapping[str, Sequence[object]]:
    today = as_of.astimezone(ZoneInfo(timezone)).date()
    if since is None and campaign is None:
        since = max(FIRST_DATE, today - timedelta(days=ALL_CAMPAIGNS_DAYS))
    if since is not None and since > today:
        raise CannotAnswer(f"{since} is after {as_of:%Y-%m-%d}: ask since an earlier day.")
    first_ms = ask(FIRST, campaign=campaign, since=since).column("first_ms")[0].as_py()
    scored_at = clickhouse_time(first_ms or 0)  # without a message nobody is scored
    found = ask(CELLS, campaign=campaign, since=since, scored_at=scored_at)
    return found.to_pydict()  # type: ignore[no-any-return]
