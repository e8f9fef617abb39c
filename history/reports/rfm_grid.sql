-- How many customers are in each RFM cell, and what do they bring?
-- ---
-- title = "RFM grid"
-- group = "rfm"
-- chart = { kind = "heatmap", x = "f", y = "r", value = "customers" }
-- [columns]
-- r = { unit = "score", means = "Recency score, 5 the most recent." }
-- f = { unit = "score", means = "Frequency score, 5 the most frequent." }
-- customers = { unit = "customers", means = "Customers of the cell." }
-- share = { unit = "share", means = "Of all customers with an order." }
-- orders = { unit = "orders", means = "Their orders to date." }
-- net = { unit = "money", means = "Their net to date; null where nobody is, or nothing can be converted." }
-- net_share = { unit = "ratio", means = "Of the net of all cells; below 0 where refunds were more than what was paid." }
-- recency_days = { unit = "days", means = "Mean of their days since the last order." }
SELECT r, f, customers, customers / everybody AS share, orders, net, net / nullIf(all_net, 0) AS net_share, recency_days
FROM (
    SELECT r, f, sum(told.customers) AS customers, sum(told.orders) AS orders, sum(told.net) AS net,
           max(told.recency_days) AS recency_days, sum(customers) OVER () AS everybody, sum(net) OVER () AS all_net
    FROM (
        SELECT r, f, count() AS customers, sum(orders) AS orders, sum(toInt128(net_base_minor)) AS net, avg(recency_days) AS recency_days
        FROM buyers_at(as_of = {as_of:DateTime64(3, 'UTC')})
        GROUP BY r, f
        UNION ALL
        SELECT toUInt8(5 - intDiv(number, 5)), toUInt8(5 - number % 5), 0, 0, NULL, NULL FROM numbers(25)
    ) AS told
    GROUP BY r, f
)
WHERE everybody > 0
ORDER BY r DESC, f DESC
