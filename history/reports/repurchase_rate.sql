-- How many customers order again after each order, and how long do they take?
-- ---
-- title = "Repurchase rate and interval"
-- group = "persistency"
-- chart = { kind = "bar", x = "order_number", y = "share" }
-- [parameters]
-- orders = { kind = "integer", default = 10, minimum = 1, maximum = 1000, means = "How many orders of a customer to look at." }
-- [columns]
-- order_number = { unit = "count", means = "Which order of the customer: 1 is the first." }
-- customers = { unit = "customers", means = "Customers with that order, cancelled ones left out." }
-- again = { unit = "customers", means = "Those of them with a next order by as_of." }
-- share = { unit = "share", means = "again of customers, 0 to 1. Some had little time to order: the report repurchase reckons with that." }
-- mean_days = { unit = "days", means = "Mean time to the next order, of those with one." }
-- median_days = { unit = "days", means = "Median of that time." }
-- p90_days = { unit = "days", means = "Nine of ten take no longer." }
SELECT
    order_number,
    count() AS customers,
    countIf(days IS NOT NULL) AS again,
    again / customers AS share,
    avgOrNull(days) AS mean_days,
    quantileExactInclusiveOrNull(0.5)(days) AS median_days,
    quantileExactInclusiveOrNull(0.9)(days) AS p90_days
FROM (
    SELECT
        arraySort(groupArray(toUnixTimestamp64Milli(placed_at))) AS times,
        arrayPushBack(arrayPopFront(arrayMap(ms -> toNullable(ms / 86400000), arrayDifference(times))), NULL) AS gaps,
        arraySlice(gaps, 1, {orders:UInt32}) AS first_gaps
    FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE NOT cancelled
    GROUP BY customer_id
)
ARRAY JOIN first_gaps AS days, arrayEnumerate(first_gaps) AS order_number
GROUP BY order_number
ORDER BY order_number
