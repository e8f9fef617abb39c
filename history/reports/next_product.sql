-- Which product does the next order contain, after an order with this product?
-- ---
-- title = "Next product"
-- group = "product"
-- chart = { kind = "heatmap", x = "next", y = "bought", value = "share" }
-- [parameters]
-- bought = { kind = "text", means = "A product or category, exactly; all of the most bought ones when left out." }
-- level = { kind = "choice", choices = ["product", "category"], default = "product", means = "Whether products or their categories are looked at." }
-- items = { kind = "integer", default = 200, minimum = 1, maximum = 1000, means = "Only this many of the most ordered products or categories are looked at, besides the one that is named." }
-- rows = { kind = "integer", default = 100, minimum = 1, maximum = 10000, means = "The most frequent pairs that are shown." }
-- [columns]
-- bought = { unit = "text", means = "Product or category of an order that another one of the same customer followed." }
-- next = { unit = "text", means = "Product or category of the order after it; may be the same one. A customer's orders of one moment are one order." }
-- times = { unit = "count", means = "How often that was so." }
-- followed = { unit = "count", means = "Orders with the first that were followed by another order." }
-- share = { unit = "share", means = "Of those, the ones whose next order has the second." }
-- lift = { unit = "ratio", means = "That share ÷ the share of all following orders that have the second: above 1, the first calls for the second." }
WITH
    {level:String} = 'category' AS by_category,
    lines AS (
        SELECT customer_id, placed_at, if(by_category, category, toNullable(sku)) AS item
        FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
    ),
    (
        SELECT groupArray(name)
        FROM (
            SELECT assumeNotNull(item) AS name, row_number() OVER (ORDER BY count() DESC, item) AS place
            FROM lines
            WHERE item IS NOT NULL
            GROUP BY item
        )
        WHERE place <= {items:UInt32} OR name = {bought:Nullable(String)}
    ) AS known
SELECT known[first] AS bought, known[second] AS next, times, followed, times / followed AS share,
       share / (following / pairs) AS lift
FROM (
    -- number 0 stands for any product, so that one pass counts the pairs, each side and all
    SELECT first, second, count() AS times,
           sumIf(times, second = 0) OVER (PARTITION BY first) AS followed,
           sumIf(times, first = 0) OVER (PARTITION BY second) AS following,
           sumIf(times, first = 0 AND second = 0) OVER () AS pairs
    FROM (
        SELECT arrayJoin(arrayPushBack(pair.1, 0)) AS first, arrayJoin(arrayPushBack(pair.2, 0)) AS second
        FROM (
            SELECT arrayMap(order -> arrayFilter(number -> number > 0, arrayDistinct(order.2)), orders) AS baskets,
                   arrayJoin(arrayZip(arrayPopBack(baskets), arrayPopFront(baskets))) AS pair
            FROM (
                SELECT customer_id, arraySort(order -> order.1, groupArray((placed_at, numbers))) AS orders
                FROM (
                    SELECT customer_id, placed_at,
                           groupUniqArray(transform(ifNull(item, ''), known, arrayEnumerate(known), 0)) AS numbers
                    FROM lines
                    GROUP BY customer_id, placed_at
                )
                GROUP BY customer_id
                HAVING count() > 1
            )
        )
    )
    GROUP BY first, second
)
WHERE first > 0 AND second > 0 AND ({bought:Nullable(String)} IS NULL OR bought = {bought:Nullable(String)})
ORDER BY times DESC, bought, next
LIMIT {rows:UInt32}
