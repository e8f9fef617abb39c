-- What does each coupon bring, and what does it cost?
-- ---
-- title = "Coupons"
-- group = "promotion"
-- chart = { kind = "bar", x = "coupon", y = ["net", "discount"] }
-- [parameters]
-- rows = { kind = "integer", default = 100, minimum = 1, maximum = 10000, means = "The most used coupons that are shown." }
-- [columns]
-- coupon = { unit = "text", means = "Coupon code." }
-- redemptions = { unit = "count", means = "How often it was used; an order that names a coupon without telling of its use counts too, a cancelled order does not." }
-- customers = { unit = "customers", means = "Customers who used it." }
-- new_customers = { unit = "customers", means = "Of them, those who had not ordered before they first used it." }
-- new_share = { unit = "share", means = "New customers ÷ customers." }
-- orders = { unit = "orders", means = "Orders it was used on." }
-- discount = { unit = "money", means = "What it took off; where its use does not say, the discount of the order." }
-- net = { unit = "money", means = "Net of the orders it was used on." }
-- average_order = { unit = "money", means = "Net ÷ orders." }
-- discount_rate = { unit = "ratio", means = "Discount ÷ (net + discount)." }
WITH
    redeemed AS (
        SELECT coupon, customer_id, ifNull(order_id, '') AS of_order, redeemed_at, discount_base_minor
        FROM coupon_redemptions_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE (customer_id, of_order) NOT IN (
            SELECT customer_id, order_id
            FROM OrderCancelled FINAL
            WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
              AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        )
    ),
    of_orders AS (
        SELECT customer_id, of_order, groupUniqArray(coupon) AS coupons
        FROM redeemed
        WHERE of_order != ''
        GROUP BY customer_id, of_order
    ),
    ordered AS (
        SELECT orders.customer_id AS customer_id, orders.order_id AS of_order, orders.placed_at AS placed_at,
               orders.base_minor AS net, orders.discount_base_minor AS discount,
               arrayJoin(arrayDistinct(arrayFilter(code -> code != '', arrayPushBack(of_orders.coupons, ifNull(orders.coupon, ''))))) AS coupon
        FROM (
            SELECT customer_id, order_id, placed_at, base_minor, discount_base_minor, coupon
            FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE NOT cancelled AND (coupon IS NOT NULL OR (customer_id, order_id) IN (SELECT customer_id, of_order FROM of_orders))
        ) AS orders
        LEFT JOIN of_orders ON of_orders.customer_id = orders.customer_id AND of_orders.of_order = orders.order_id
    ),
    uses AS (
        SELECT coupon, customer_id, max(by_order) AS is_order, if(is_order, minIf(at, by_order), min(at)) AS used_at,
               max(net) AS net, coalesce(sum(toInt128(told_discount)), max(order_discount)) AS discount
        FROM (
            SELECT coupon, customer_id, of_order, placed_at AS at, net, discount AS order_discount, NULL AS told_discount, true AS by_order
            FROM ordered
            UNION ALL
            SELECT coupon, customer_id, of_order, redeemed_at, NULL, NULL, discount_base_minor, false
            FROM redeemed
        )
        GROUP BY coupon, customer_id, of_order, if(of_order = '', at, NULL)
    ),
    firsts AS (
        SELECT customer_id, min(placed_at) AS first_at
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled AND customer_id IN (
            SELECT customer_id FROM redeemed
            UNION ALL
            SELECT customer_id FROM OrderPlaced FINAL WHERE coupon IS NOT NULL
        )
        GROUP BY customer_id
    )
SELECT coupon, sum(each.redemptions) AS redemptions, count() AS customers, countIf(firsts.customer_id = '' OR firsts.first_at >= each.began_at) AS new_customers,
       new_customers / customers AS new_share, sum(each.orders) AS orders, sum(each.discount) AS discount,
       sum(each.net) AS net, accurateCastOrNull(roundBankers(net / orders), 'Int64') AS average_order,
       discount / nullIf(net + discount, 0) AS discount_rate
FROM (
    SELECT coupon, customer_id, count() AS redemptions, countIf(is_order) AS orders, sum(uses.discount) AS discount,
           sum(toInt128(uses.net)) AS net, min(used_at) AS began_at
    FROM uses
    GROUP BY coupon, customer_id
) AS each
LEFT JOIN firsts ON firsts.customer_id = each.customer_id
GROUP BY coupon
ORDER BY redemptions DESC, coupon
LIMIT {rows:UInt32}
