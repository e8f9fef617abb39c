-- Which share of the customers brings which share of the revenue?
-- ---
-- title = "The 80/20 curve"
-- group = "profitability"
-- chart = { kind = "line", x = "percent", y = "share_of_net" }
-- [parameters]
-- brings = { kind = "number", default = 0.8, minimum = 0.01, maximum = 1, means = "Share of the revenue whose bringers are counted." }
-- [columns]
-- percent = { unit = "percent", means = "Of the customers with an order, those who brought most first." }
-- customers = { unit = "customers", means = "So many are that, rounded up." }
-- net = { unit = "money", means = "What they brought: paid less refunds, without cancelled orders and those without an exchange rate; 0 of who got back more." }
-- share_of_net = { unit = "share", means = "Of what all brought." }
-- bringers = { unit = "customers", means = "The fewest customers who bring the share of the parameter; the same in each row." }
-- share_of_bringers = { unit = "share", means = "Of the customers with an order; the same in each row." }
SELECT
    percent,
    toUInt64(ceil(n * percent / 100)) AS customers,
    if(customers = 0, 0, sums[customers]) AS net,
    if(all_minor > 0, net / all_minor, NULL) AS share_of_net,
    if(all_minor > 0, bringing, NULL) AS bringers,
    bringers / n AS share_of_bringers
FROM (
    SELECT
        arrayCumSum(arrayReverseSort(groupArray(brought))) AS sums, length(sums) AS n, sums[n] AS all_minor,
        arrayFirstIndex(reached -> reached >= {brings:Float64} * toFloat64(all_minor), sums) AS bringing
    FROM (
        SELECT greatest(sum(toInt128(assumeNotNull(base_minor))), 0) AS brought
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled AND base_minor IS NOT NULL
        GROUP BY customer_id
    )
    HAVING n > 0
)
ARRAY JOIN range(101) AS percent
ORDER BY percent
