-- How much is given away, and do orders with a discount become larger?
-- ---
-- title = "Discounts"
-- group = "performance"
-- chart = { kind = "bar", x = "label", y = "discount_rate" }
-- [parameters]
-- by = { kind = "choice", choices = ["month", "store"], default = "month", means = "One row for each." }
-- top = { kind = "integer", default = 36, minimum = 1, maximum = 1000, means = "The latest so many months, or the stores with the most orders; the rest are one row." }
-- [columns]
-- label = { unit = "text", means = "The month, as 2026-01, or the store; unknown where an order names none, others for the rest." }
-- orders = { unit = "orders", means = "Orders with an exchange rate, without cancelled ones; null while the month is not over, as is all else." }
-- discounted = { unit = "orders", means = "Of them with a discount." }
-- share_discounted = { unit = "share", means = "Of the orders." }
-- discounts = { unit = "money", means = "What was taken off." }
-- discount_rate = { unit = "share", means = "Of what all orders would have brought without discounts: discounts ÷ (net + discounts); null where net is below 0." }
-- average_with = { unit = "money", means = "Mean net of an order with a discount." }
-- average_without = { unit = "money", means = "Mean net of an order without." }
WITH
    left(toString(toDate({as_of:DateTime64(3, 'UTC')}, {timezone:String})), 7) AS running,
    {by:String} = 'month' AND name = running AS unfinished
SELECT
    if(place <= {top:UInt32}, name, 'others') AS label,
    if(unfinished, NULL, sum(all_orders)) AS orders,
    if(unfinished, NULL, sum(with_discount)) AS discounted,
    discounted / orders AS share_discounted,
    if(unfinished, NULL, sum(given)) AS discounts,
    if(sum(net) >= 0, discounts / nullIf(sum(net) + discounts, 0), NULL) AS discount_rate,
    if(discounted > 0, toInt64(round(sum(net_with) / discounted)), NULL) AS average_with,
    if(orders > discounted, toInt64(round((sum(net) - sum(net_with)) / (orders - discounted))), NULL) AS average_without
FROM (
    SELECT
        name, count() AS all_orders,
        countIf(discount_base_minor > 0) AS with_discount,
        sum(toInt128(coalesce(discount_base_minor, 0))) AS given,
        sum(toInt128(assumeNotNull(base_minor))) AS net,
        sumIf(toInt128(assumeNotNull(base_minor)), discount_base_minor > 0) AS net_with,
        row_number() OVER (ORDER BY if({by:String} = 'month', name, '') DESC, all_orders DESC, name) AS place
    FROM (
        SELECT
            if({by:String} = 'month', left(toString(toDate(placed_at, {timezone:String})), 7), coalesce(store, 'unknown')) AS name,
            base_minor, discount_base_minor
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled AND base_minor IS NOT NULL
    )
    GROUP BY name
)
GROUP BY label, place <= {top:UInt32}, unfinished
ORDER BY if({by:String} = 'month', label, ''), orders DESC, label
