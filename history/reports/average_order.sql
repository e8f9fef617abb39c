-- How large is an order, month by month?
-- ---
-- title = "Average order"
-- group = "performance"
-- chart = { kind = "line", x = "month", y = ["mean", "median", "p90"] }
-- [parameters]
-- months = { kind = "integer", default = 24, minimum = 1, maximum = 600, means = "The latest so many months." }
-- [columns]
-- month = { unit = "month", means = "Month of the orders." }
-- orders = { unit = "orders", means = "Orders with an exchange rate, without cancelled ones; null while the month is not over." }
-- mean = { unit = "money", means = "Mean of what was paid for an order less refunds." }
-- median = { unit = "money", means = "Half of the orders are not above." }
-- p90 = { unit = "money", means = "Nine in ten are not above; between two orders, interpolated." }
-- items = { unit = "count", means = "Units in an order, of the orders whose lines are known." }
WITH
    toStartOfMonth(toDate({as_of:DateTime64(3, 'UTC')}, {timezone:String})) AS running,
    known[month] AS found,
    month < running AS is_over
SELECT
    month,
    if(is_over, found.orders, NULL) AS orders,
    if(orders > 0, toInt64(round(found.mean)), NULL) AS mean,
    if(orders > 0, toInt64(round(found.middle)), NULL) AS median,
    if(orders > 0, toInt64(round(found.ninth)), NULL) AS p90,
    if(is_over, found.units / nullIf(found.with_lines, 0), NULL) AS items
FROM (
    SELECT
        min(month) AS first,
        mapFromArrays(groupArray(month), groupArray(CAST(
            (orders, mean, middle, ninth, units, with_lines),
            'Tuple(orders UInt64, mean Float64, middle Float64, ninth Float64, units Int64, with_lines UInt64)'
        ))) AS known
    FROM (
        SELECT month, sum(orders) AS orders, sum(mean) AS mean, sum(middle) AS middle, sum(ninth) AS ninth,
               sum(units) AS units, sum(with_lines) AS with_lines
        FROM (
            SELECT
                toStartOfMonth(toDate(placed_at, {timezone:String})) AS month, count() AS orders,
                sum(toInt128(minor)) / count() AS mean,
                quantileExactInclusive(0.5)(minor) AS middle, quantileExactInclusive(0.9)(minor) AS ninth,
                0 AS units, 0 AS with_lines
            FROM (
                SELECT placed_at, assumeNotNull(base_minor) AS minor
                FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
                WHERE NOT cancelled AND base_minor IS NOT NULL
            )
            GROUP BY month
            UNION ALL
            SELECT
                toStartOfMonth(toDate(placed_at, {timezone:String})) AS month, 0, 0, 0, 0, sum(quantity), countIf(line = 1)
            FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE NOT cancelled
            GROUP BY month
        )
        GROUP BY month
    )
    HAVING count() > 0
)
ARRAY JOIN arrayFilter(
    day -> day >= first, arrayMap(back -> addMonths(running, -toInt32(back)), range(toUInt32({months:UInt32})))
) AS month
ORDER BY month
