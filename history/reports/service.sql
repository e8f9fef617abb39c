-- How many tickets come, how long do they take, and how many orders lead to one?
-- ---
-- title = "Service: tickets, time to resolve and complaint rate"
-- group = "service"
-- chart = { kind = "bar", x = "value", y = ["resolved", "open"] }
-- [parameters]
-- by = { kind = "choice", default = "category", choices = ["category", "priority", "channel", "agent", "month"], means = "What to split the tickets by." }
-- since = { kind = "date", means = "First day of the tickets and orders that count; all, if left out." }
-- [columns]
-- value = { unit = "text", means = "The category, priority, channel, agent or month of opening; null where it is not known." }
-- opened = { unit = "tickets", means = "Tickets opened; null of a month that is not over, as is all else." }
-- resolved = { unit = "tickets", means = "Those of them resolved by as_of." }
-- open = { unit = "tickets", means = "Those of them still open." }
-- overdue = { unit = "tickets", means = "Those still open after they were due." }
-- late = { unit = "tickets", means = "Those resolved after they were due." }
-- reply_hours_median = { unit = "hours", means = "Median time from opening to the first reply, of the resolved tickets that tell it." }
-- reply_hours_p90 = { unit = "hours", means = "Nine of ten of these got it sooner." }
-- resolve_hours_median = { unit = "hours", means = "Median time from opening to resolution." }
-- resolve_hours_p90 = { unit = "hours", means = "Nine of ten were resolved sooner." }
-- handling_minutes_mean = { unit = "minutes", means = "Mean work on a resolved ticket that tells it." }
-- share = { unit = "share", means = "Of all tickets, 0 to 1." }
-- per_100_orders = { unit = "tickets", means = "The complaint rate: tickets opened for each 100 orders placed since then (of the same month, by month), cancelled ones left out; null without an order." }
WITH {by:String} = 'month' AND value = left(toString(toDate32({as_of:DateTime64(3, 'UTC')}, {timezone:String})), 7) AS unfinished
SELECT
    value,
    if(unfinished, NULL, tickets.opened) AS opened,
    if(unfinished, NULL, tickets.resolved) AS resolved,
    opened - resolved AS open,
    if(unfinished, NULL, tickets.overdue) AS overdue,
    if(unfinished, NULL, tickets.late) AS late,
    if(unfinished, NULL, tickets.reply_hours_median) AS reply_hours_median,
    if(unfinished, NULL, tickets.reply_hours_p90) AS reply_hours_p90,
    if(unfinished, NULL, tickets.resolve_hours_median) AS resolve_hours_median,
    if(unfinished, NULL, tickets.resolve_hours_p90) AS resolve_hours_p90,
    if(unfinished, NULL, tickets.handling_minutes_mean) AS handling_minutes_mean,
    opened / all_opened AS share,
    100 * opened / nullIf(if({by:String} = 'month', placed, all_placed), 0) AS per_100_orders
FROM (
    SELECT
        value,
        countIf(is_ticket) AS opened,
        countIf(is_ticket AND resolved_at IS NOT NULL) AS resolved,
        countIf(is_ticket AND resolved_at IS NULL AND due_at < {as_of:DateTime64(3, 'UTC')}) AS overdue,
        countIf(is_ticket AND due_at < resolved_at) AS late,
        quantileExactInclusiveOrNull(0.5)(reply_hours) AS reply_hours_median,
        quantileExactInclusiveOrNull(0.9)(reply_hours) AS reply_hours_p90,
        quantileExactInclusiveOrNull(0.5)(resolve_hours) AS resolve_hours_median,
        quantileExactInclusiveOrNull(0.9)(resolve_hours) AS resolve_hours_p90,
        avgOrNull(handling_minutes) AS handling_minutes_mean,
        sum(orders) AS placed,
        sum(opened) OVER () AS all_opened,
        sum(placed) OVER () AS all_placed
    FROM (
        SELECT
            multiIf(
                {by:String} = 'priority', toNullable(toString(priority)),
                {by:String} = 'channel', toNullable(toString(channel)),
                {by:String} = 'agent', agent_id,
                {by:String} = 'month', toNullable(left(toString(toDate32(opened_at, {timezone:String})), 7)),
                category
            ) AS value,
            true AS is_ticket,
            due_at,
            resolved_at,
            dateDiff('millisecond', opened_at, first_reply_at) / 3600000 AS reply_hours,
            dateDiff('millisecond', opened_at, resolved_at) / 3600000 AS resolve_hours,
            handling_minutes,
            0 AS orders
        FROM tickets_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE {since:Nullable(Date32)} IS NULL OR toDate32(opened_at, {timezone:String}) >= {since:Nullable(Date32)}
        UNION ALL
        SELECT
            if({by:String} = 'month', toNullable(left(toString(toDate32(placed_at, {timezone:String})), 7)), NULL),
            false, NULL, NULL, NULL, NULL, NULL, count()
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
          AND ({since:Nullable(Date32)} IS NULL OR toDate32(placed_at, {timezone:String}) >= {since:Nullable(Date32)})
        GROUP BY 1
    )
    GROUP BY value
) AS tickets
WHERE tickets.opened > 0
ORDER BY if({by:String} = 'month', 0, opened) DESC, value
