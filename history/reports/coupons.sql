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
-- discount_rate = { unit = "share", means = "Discount ÷ (net + discount)." }
WITH
    redeemed AS (
        SELECT coupon, customer_id, ifNull(order_id, '') AS order_id, redeemed_at, discount_base_minor
        FROM coupon_redemptions_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE (customer_id, order_id) NOT IN (
            SELECT customer_id, order_id FROM OrderCancelled FINAL WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
        )
    ),
    of_orders AS (
        SELECT customer_id, order_id, groupUniqArray(coupon) AS coupons
        FROM redeemed
        WHERE order_id != ''
        GROUP BY customer_id, order_id
    ),
    customers AS (
        SELECT customer_id, min(ordered_at) AS first_order_at, groupArrayArray(told) AS told_uses
        FROM (
            SELECT orders.customer_id AS customer_id, toNullable(orders.placed_at) AS ordered_at,
                   CAST(arrayMap(code -> (code, orders.order_id, orders.placed_at, NULL, orders.base_minor,
                                          orders.discount_base_minor, true),
                                 arrayDistinct(arrayConcat(of_orders.coupons, arrayFilter(code -> code != '', [ifNull(orders.coupon, '')])))),
                        'Array(Tuple(String, String, DateTime64(3), Nullable(Int64), Nullable(Int64), Nullable(Int64), Bool))') AS told
            FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS orders
            LEFT JOIN of_orders ON of_orders.customer_id = orders.customer_id AND of_orders.order_id = orders.order_id
            WHERE NOT orders.cancelled
            UNION ALL
            SELECT customer_id, NULL,
                   CAST([(coupon, order_id, redeemed_at, discount_base_minor, NULL, NULL, false)],
                        'Array(Tuple(String, String, DateTime64(3), Nullable(Int64), Nullable(Int64), Nullable(Int64), Bool))')
            FROM redeemed
        )
        GROUP BY customer_id
        HAVING notEmpty(told_uses)
    ),
    uses AS (
        SELECT told.1 AS coupon, customer_id, any(first_order_at) AS first_at, max(told.7) AS is_order,
               if(is_order, minIf(told.3, told.7), min(told.3)) AS used_at, max(told.5) AS net,
               coalesce(sum(told.4), max(told.6)) AS discount
        FROM customers
        ARRAY JOIN told_uses AS told
        GROUP BY coupon, customer_id, told.2, if(told.2 = '', told.3, NULL)
    )
SELECT coupon, sum(each.redemptions) AS redemptions, count() AS customers, countIf(is_new) AS new_customers,
       new_customers / customers AS new_share, sum(each.orders) AS orders, sum(each.discount) AS discount,
       sum(each.net) AS net, accurateCastOrNull(roundBankers(net / orders), 'Int64') AS average_order,
       discount / nullIf(net + discount, 0) AS discount_rate
FROM (
    SELECT coupon, customer_id, count() AS redemptions, countIf(is_order) AS orders, sum(uses.discount) AS discount,
           sum(uses.net) AS net, ifNull(any(first_at) >= min(used_at), true) AS is_new
    FROM uses
    GROUP BY coupon, customer_id
) AS each
GROUP BY coupon
ORDER BY redemptions DESC, coupon
LIMIT {rows:UInt32}
