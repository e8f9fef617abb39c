-- How many of the customers who first ordered in a month order again, month by month?
-- ---
-- title = "Cohort retention"
-- group = "persistency"
-- chart = { kind = "heatmap", x = "months_later", y = "cohort", value = "share" }
-- [parameters]
-- months = { kind = "integer", default = 12, minimum = 1, maximum = 60, means = "Months to follow a cohort." }
-- [columns]
-- cohort = { unit = "month", means = "Month of the first order." }
-- months_later = { unit = "months", means = "Months after that; 0 is the month itself." }
-- customers = { unit = "customers", means = "Customers of the cohort; so far, while its month is not over." }
-- ordered = { unit = "customers", means = "Those of them with an order in that later month, cancelled ones left out; null while the month is not over." }
-- share = { unit = "share", means = "Of the cohort, 0 to 1; null while the month is not over." }
WITH toRelativeMonthNum({as_of:DateTime64(3, 'UTC')}, {timezone:String}) AS this_month
SELECT
    addMonths(toDate('1970-01-01'), first - toRelativeMonthNum(toDate('1970-01-01'))) AS cohort,
    later AS months_later,
    size AS customers,
    if(first + later < this_month, count_later, NULL) AS ordered,
    ordered / customers AS share
FROM (
    SELECT
        first,
        count() AS size,
        sumForEach(arrayMap(later -> toUInt64(has(ordered_in, first + later)), range({months:UInt32} + 1))) AS counts
    FROM (
        SELECT
            groupUniqArray(toRelativeMonthNum(placed_at, {timezone:String})) AS ordered_in,
            arrayMin(ordered_in) AS first
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
        GROUP BY customer_id
    )
    GROUP BY first
)
ARRAY JOIN counts AS count_later, range({months:UInt32} + 1) AS later
ORDER BY cohort, months_later
