-- Does the business grow, against the period before and the same period a year before?
-- ---
-- title = "Growth"
-- group = "performance"
-- chart = { kind = "bar", x = "period", y = "net" }
-- [parameters]
-- grain = { kind = "choice", choices = ["day", "week", "month", "quarter", "year"], default = "month", means = "Length of a period. Weeks begin on Monday." }
-- periods = { kind = "integer", default = 24, minimum = 1, maximum = 1000, means = "The latest so many periods." }
-- [columns]
-- period = { unit = "date", means = "First day of the period." }
-- orders = { unit = "orders", means = "Orders placed in it, without cancelled ones; null while it is not over." }
-- net = { unit = "money", means = "Paid for them less refunds; null while the period is not over, or where no order of it has an exchange rate." }
-- unconverted = { unit = "orders", means = "Orders that are not in net: no exchange rate is in force." }
-- orders_growth = { unit = "change", means = "Change of the orders on the period before, 0.1 is a tenth more; null before the first order and where there was none." }
-- net_growth = { unit = "change", means = "Change of net on the period before." }
-- orders_growth_year = { unit = "change", means = "Change of the orders on the same period a year before; of a week, 52 weeks before." }
-- net_growth_year = { unit = "change", means = "Change of net on the same period a year before." }
WITH
    toDate(dateTrunc({grain:String}, toDate({as_of:DateTime64(3, 'UTC')}, {timezone:String}))) AS running,
    multiIf(
        {grain:String} = 'day', addDays(running, -back), {grain:String} = 'week', addWeeks(running, -back),
        {grain:String} = 'month', addMonths(running, -back), {grain:String} = 'quarter', addQuarters(running, -back),
        addYears(running, -back)
    ) AS period,
    if({grain:String} = 'week', addWeeks(period, -52), addYears(period, -1)) AS a_year_before,
    known[back] AS now,
    known[back + 1] AS before,
    known[dateDiff({grain:String}, a_year_before, running)] AS year_before
SELECT
    period,
    if(back > 0, now.orders, NULL) AS orders,
    if(back > 0, if(now.orders = 0, 0, now.net), NULL) AS net,
    if(back > 0, now.unconverted, NULL) AS unconverted,
    (orders - before.orders) / nullIf(before.orders, 0) AS orders_growth,
    (net - before.net) / nullIf(abs(before.net), 0) AS net_growth,
    (orders - year_before.orders) / nullIf(year_before.orders, 0) AS orders_growth_year,
    (net - year_before.net) / nullIf(abs(year_before.net), 0) AS net_growth_year
FROM (
    SELECT
        max(back) AS first,
        mapFromArrays(
            groupArray(back),
            groupArray(CAST((orders, net, unconverted), 'Tuple(orders Int64, net Nullable(Int128), unconverted Int64)'))
        ) AS known
    FROM (
        SELECT
            dateDiff({grain:String}, toDate(placed_at, {timezone:String}), running) AS back,
            count() AS orders, sum(toInt128(base_minor)) AS net, countIf(base_minor IS NULL) AS unconverted
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
        GROUP BY back
    )
    HAVING count() > 0
)
ARRAY JOIN arrayMap(back -> toInt64(back), range(toUInt64(least(first + 1, {periods:UInt32})))) AS back
ORDER BY period
