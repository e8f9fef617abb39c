"""How satisfied are the customers: net promoter score, satisfaction and effort, with their intervals?
---
title = "Satisfaction: NPS, CSAT and CES"
group = "service"
chart = { kind = "bar", x = "value", y = "score", series = "measure" }
[parameters]
by = { kind = "choice", default = "all", choices = ["all", "stage", "segment", "channel", "survey", "month"], means = "What to split the answers by. stage and segment: those of the customer at as_of, who may be in several segments; channel, survey and month: those of the answer." }
since = { kind = "date", means = "First day of the answers that count; all, if left out." }
confidence = { kind = "number", default = 0.95, minimum = 0.5, maximum = 0.999, means = "How sure the interval is, 0 to 1." }
[columns]
value = { unit = "text", means = "The stage, segment, channel, survey or month; null where there is none." }
measure = { unit = "text", means = "nps, csat or ces." }
answers = { unit = "count", means = "Answers, each read by its place on its own scale; null of a month that is not over, as is all else." }
customers = { unit = "customers", means = "Customers who gave them." }
score = { unit = "score", means = "nps: percent promoters (from nine tenths of the scale on) less percent detractors (up to six tenths), -100 to 100. csat: percent satisfied, from three quarters of the scale on (4 and 5 of 5). ces: mean, on a scale from 1 to 7." }
low = { unit = "score", means = "Lower end of the interval. nps: normal approximation of the multinomial; csat: Wilson; ces: Student's t. Null where it takes more answers." }
high = { unit = "score", means = "Upper end of the interval." }
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from math import isnan, sqrt
from typing import Any
from zoneinfo import ZoneInfo

from scipy import stats

from history.reporting import Ask

NPS, CSAT, CES = "nps", "csat", "ces"
NO_VALUE = "CAST(NULL, 'Nullable(String)')"
SPLITS = {  # by: the value of an answer, and where that is from
    "all": (NO_VALUE, ""),
    "channel": ("toNullable(toString(channel))", ""),
    "survey": ("toNullable(survey)", ""),
    "month": ("toNullable(left(toString(toDate32(answered_at, {timezone:String})), 7))", ""),
    "stage": (
        "if(stage = '', 'prospect', stage)",
        "LEFT JOIN stages_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS staged USING (customer_id)",
    ),
    "segment": (
        "nullIf(segment, '')",
        """LEFT JOIN (
            SELECT customer_id, segment
            FROM SegmentChanged
            WHERE topic = 'headwater.transitions' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
            GROUP BY customer_id, segment
            HAVING argMax(entered, offset)
        ) AS belongs USING (customer_id)""",
    ),
}
COUNTS = """
SELECT
    value,
    kind,
    count() AS answers,
    uniqExact(customer_id) AS customers,
    countIf(part >= 0.9) AS promoters,
    countIf(part <= 0.6) AS detractors,
    countIf(part >= 0.75) AS satisfied,
    avg(1 + 6 * part) AS mean,
    stddevSampStable(1 + 6 * part) AS deviation
FROM (
    SELECT customer_id, kind, greatest(0., least(assumeNotNull(share), 1.)) AS part, @value AS value
    FROM surveys_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS answer
    @joined
    WHERE kind IN ('nps', 'csat', 'ces') AND scale_max > scale_min AND share IS NOT NULL
      AND ({since:Nullable(Date32)} IS NULL
           OR toDate32(answered_at, {timezone:String}) >= {since:Nullable(Date32)})
)
GROUP BY value, kind
ORDER BY value, indexOf(['nps', 'csat', 'ces'], kind)
"""
Measured = tuple[float, float | None, float | None]
MEASURES = ("answers", "customers", "score", "low", "high")
UNKNOWN = (None,) * len(MEASURES)


def report(
    ask: Ask, *, by: str, since: date | None, confidence: float, as_of: datetime, timezone: str
) -> Mapping[str, Sequence[object]]:
    value, joined = SPLITS[by]
    counts = ask(COUNTS.replace("@value", value).replace("@joined", joined), since=since)
    counted = counts.to_pylist()
    running = as_of.astimezone(ZoneInfo(timezone)).strftime("%Y-%m")
    told = [
        UNKNOWN
        if by == "month" and row["value"] == running
        else (row["answers"], row["customers"], *_measured(row, confidence))
        for row in counted
    ]
    return {
        "value": [row["value"] for row in counted],
        "measure": [row["kind"] for row in counted],
    } | {name: [each[at] for each in told] for at, name in enumerate(MEASURES)}


def _measured(row: Mapping[str, Any], confidence: float) -> Measured:
    number = row["answers"]
    if row["kind"] == NPS:
        return net_promoters(row["promoters"], row["detractors"], number, confidence)
    if row["kind"] == CSAT:
        return satisfied(row["satisfied"], number, confidence)
    return effort(row["mean"], row["deviation"], number, confidence)


def net_promoters(promoters: int, detractors: int, number: int, confidence: float) -> Measured:
    """In percent, with the normal approximation of the multinomial: the variance of an answer that is 1, 0 or -1."""
    score = (promoters - detractors) / number
    if number < 2:
        return 100 * score, None, None
    error = sqrt(max(0.0, (promoters + detractors) / number - score**2) / number)
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return 100 * score, 100 * max(-1.0, score - reach), 100 * min(1.0, score + reach)


def satisfied(number_satisfied: int, number: int, confidence: float) -> Measured:
    """In percent, with Wilson's interval (Wilson, "Probable Inference", 1927)."""
    interval = stats.binomtest(number_satisfied, number).proportion_ci(confidence, method="wilson")
    return 100 * number_satisfied / number, 100 * float(interval.low), 100 * float(interval.high)


def effort(mean: float, deviation: float, number: int, confidence: float) -> Measured:
    """On the scale from 1 to 7, with Student's t."""
    if number < 2 or isnan(deviation):
        return mean, None, None
    reach = float(stats.t.ppf((1 + confidence) / 2, number - 1)) * deviation / sqrt(number)
    return mean, mean - reach, mean + reach
