-- Which opportunities are won, for how much, how soon, and why are the others lost?
-- ---
-- title = "Opportunity conversion"
-- group = "prospecting"
-- chart = { kind = "bar", x = "value", y = ["won", "lost", "open"] }
-- [parameters]
-- by = { kind = "choice", default = "owner", choices = ["owner", "month", "origin", "reason"], means = "What to split the opportunities by. month: that of opening; origin: what the opportunity names; reason: of those that were lost, and only of them." }
-- since = { kind = "date", means = "Opportunities opened from this day on; all if left out." }
-- [columns]
-- value = { unit = "text", means = "The owner, the month, the origin (lead, else campaign, else neither) or the reason; null where it is not told." }
-- opened = { unit = "count", means = "Opportunities opened; null of a month that is not over, as is all else." }
-- won = { unit = "count", means = "Those of them won by as_of." }
-- lost = { unit = "count", means = "Those of them lost by as_of." }
-- open = { unit = "count", means = "Those of them still open." }
-- win_rate = { unit = "share", means = "Won ÷ (won + lost); null by reason." }
-- won_amount = { unit = "money", means = "What the won are worth; those without an amount or an exchange rate add nothing." }
-- lost_amount = { unit = "money", means = "The same of the lost." }
-- median_days_to_close = { unit = "days", means = "From opening to the end, won or lost: half took no longer." }
WITH {by:String} = 'month' AND value = left(toString(toDate32({as_of:DateTime64(3, 'UTC')}, {timezone:String})), 7) AS unfinished
SELECT
    value,
    if(unfinished, NULL, counted.opened) AS opened,
    if(unfinished, NULL, counted.won) AS won,
    if(unfinished, NULL, counted.lost) AS lost,
    opened - won - lost AS open,
    if({by:String} = 'reason', NULL, won / nullIf(won + lost, 0)) AS win_rate,
    if(unfinished, NULL, counted.won_minor) AS won_amount,
    if(unfinished, NULL, counted.lost_minor) AS lost_amount,
    if(unfinished, NULL, counted.median_days) AS median_days_to_close
FROM (
    SELECT
        value,
        count() AS opened,
        countIf(ended = 'won') AS won,
        countIf(ended = 'lost') AS lost,
        sumIf(toInt128(worth_minor), ended = 'won') AS won_minor,
        sumIf(toInt128(worth_minor), ended = 'lost') AS lost_minor,
        quantileExactInclusiveOrNull(0.5)(days) AS median_days
    FROM (
        SELECT
            multiIf(
                {by:String} = 'month', toNullable(left(toString(toDate32(opened_at, {timezone:String})), 7)),
                {by:String} = 'origin', toNullable(multiIf(lead_id IS NOT NULL, 'lead', campaign_id IS NOT NULL, 'campaign', 'neither')),
                {by:String} = 'reason', nullIf(reason, ''),
                owner_id
            ) AS value,
            coalesce(outcome, 'open') AS ended,
            coalesce(base_minor, 0) AS worth_minor,
            dateDiff('millisecond', opened_at, closed_at) / 86400000 AS days
        FROM opportunities_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE ({by:String} != 'reason' OR outcome = 'lost')
          AND ({since:Nullable(Date32)} IS NULL OR toDate32(opened_at, {timezone:String}) >= {since:Nullable(Date32)})
    )
    GROUP BY value
) AS counted
ORDER BY if({by:String} = 'month', 0, counted.opened) DESC, value
