-- How many new customers came each month, from which source or channel, and what have they brought since?
-- ---
-- title = "Acquisition by month and source"
-- group = "profiling"
-- chart = { kind = "bar", x = "month", y = "customers", series = "value" }
-- [parameters]
-- by = { kind = "choice", default = "source", choices = ["source", "channel"], means = "What to split a month by: source or channel of the customer's first event." }
-- months = { kind = "integer", default = 24, minimum = 1, maximum = 600, means = "How many months to show, with the one of as_of." }
-- [columns]
-- month = { unit = "month", means = "Month of the customer's first event. A month without new customers has no row." }
-- value = { unit = "text", means = "The source or channel; null where it is not known." }
-- customers = { unit = "customers", means = "New customers; null while the month is not over, as is all else." }
-- share = { unit = "share", means = "Of the new customers of the month, 0 to 1." }
-- buyers = { unit = "customers", means = "Those of them who have ordered since." }
-- orders = { unit = "orders", means = "Their orders since, without cancelled ones." }
-- net = { unit = "money", means = "What they have paid since, less refunds; null where nothing of it can be converted." }
WITH
    toRelativeMonthNum({as_of:DateTime64(3, 'UTC')}, {timezone:String}) AS this_month,
    number < this_month AS is_over
SELECT
    addMonths(toDate('1970-01-01'), number - toRelativeMonthNum(toDate('1970-01-01'))) AS month,
    value,
    if(is_over, count(), NULL) AS customers,
    customers / sum(count()) OVER (PARTITION BY number) AS share,
    if(is_over, countIf(ordered > 0), NULL) AS buyers,
    if(is_over, sum(ordered), NULL) AS orders,
    multiIf(NOT is_over, NULL, buyers = 0, 0, sumIf(brought, ordered > 0)) AS net
FROM (
    SELECT
        toRelativeMonthNum(minOrNull(first_at), {timezone:String}) AS number,
        anyLast(told) AS value,
        sum(n) AS ordered,
        sum(base) AS brought
    FROM (
        SELECT customer_id, toNullable(min(occurred_at)) AS first_at, toNullable(toString(argMin(source, bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id)))) AS told, 0 AS n,
               CAST(NULL, 'Nullable(Int64)') AS base
        FROM events
        WHERE customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')} AND {by:String} = 'source'
        GROUP BY customer_id
        UNION ALL
        SELECT customer_id, toNullable(min(occurred_at)), toString(argMin(tuple(channel), bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id)).1), 0, NULL
        FROM events
        WHERE customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')} AND {by:String} = 'channel'
        GROUP BY customer_id
        UNION ALL
        SELECT customer_id, NULL, NULL, count(), sum(toInt128(base_minor))
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
        GROUP BY customer_id
    )
    GROUP BY customer_id
)
WHERE number + {months:UInt32} > this_month
GROUP BY number, value
ORDER BY month, value
