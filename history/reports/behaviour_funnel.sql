-- How far do visitors come, from a page to an order, and where do they drop off?
-- ---
-- title = "Behaviour funnel"
-- group = "behaviour"
-- chart = { kind = "funnel", x = "step", y = "customers" }
-- [parameters]
-- days = { kind = "integer", default = 90, minimum = 1, maximum = 3650, means = "Days before as_of whose events count." }
-- window_hours = { kind = "integer", default = 24, minimum = 1, maximum = 8760, means = "Hours from the page to the order, at most." }
-- [columns]
-- number = { unit = "count", means = "Number of the step." }
-- step = { unit = "text", means = "page: saw a page; product: then looked at a product; cart: then put something into the cart or changed it; order: then ordered (cancelled orders never happened)." }
-- customers = { unit = "customers", means = "Customers who came that far within the hours, at least once, in this order." }
-- share = { unit = "share", means = "Of all who saw a page." }
-- of_step_before = { unit = "share", means = "Of those who came to the step before; null of the first." }
-- dropped = { unit = "customers", means = "Customers who came to the step before and not to this one." }
WITH
    {as_of:DateTime64(3, 'UTC')} - toIntervalDay({days:UInt32}) AS since,
    visitors AS (
        SELECT customer_id,
               windowFunnel({window_hours:UInt64} * 3600000)(at, step = 1, step = 2, step = 3, step = 4) AS came_to
        FROM (
            SELECT customer_id, toUInt64(toUnixTimestamp64Milli(occurred_at)) AS at, step
            FROM (
                SELECT customer_id, occurred_at, 1 AS step FROM PageViewed FINAL
                WHERE (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
                UNION ALL
                SELECT customer_id, occurred_at, 2 FROM ProductViewed FINAL
                WHERE (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
                UNION ALL
                SELECT customer_id, occurred_at, 3 FROM CartUpdated FINAL
                WHERE ifNull(action, '') NOT IN ('removed', 'emptied')
                  AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
                UNION ALL
                SELECT customer_id, placed_at, 4 FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) WHERE NOT cancelled
            )
            WHERE occurred_at > since AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
        )
        GROUP BY customer_id
        HAVING came_to > 0
    )
SELECT number, ['page', 'product', 'cart', 'order'][number] AS step, reached AS customers,
       customers / first_value(customers) OVER steps AS share,
       if(number = 1, NULL, customers / nullIf(lagInFrame(customers) OVER steps, 0)) AS of_step_before,
       if(number = 1, NULL, lagInFrame(customers) OVER steps - customers) AS dropped
FROM (
    SELECT arrayJoin([1, 2, 3, 4]) AS number, countIf(came_to >= number) AS reached
    FROM visitors
    GROUP BY number
)
WINDOW steps AS (ORDER BY number)
ORDER BY number
