-- Which pages do visitors see one after another, and which of these paths lead to an order?
-- ---
-- title = "Behaviour paths"
-- group = "behaviour"
-- chart = { kind = "bar", x = "path", y = "sessions" }
-- [parameters]
-- length = { kind = "integer", default = 3, minimum = 1, maximum = 8, means = "Pages of a path." }
-- days = { kind = "integer", default = 30, minimum = 1, maximum = 3650, means = "Days before as_of whose page views count." }
-- order_hours = { kind = "integer", default = 24, minimum = 0, maximum = 8760, means = "A session leads to an order that is placed from its first page until so many hours after its last." }
-- rows = { kind = "integer", default = 50, minimum = 1, maximum = 10000, means = "The most common paths that are shown." }
-- [columns]
-- path = { unit = "text", means = "Pages seen one right after another, without the shop's address, query and fragment; a page that is loaded again is one." }
-- sessions = { unit = "count", means = "Sessions with this path. A session is what the shop calls one; without its word, views less than 30 minutes apart." }
-- customers = { unit = "customers", means = "Customers who went this path." }
-- share = { unit = "share", means = "Sessions with this path ÷ all sessions." }
-- orders = { unit = "count", means = "Sessions with this path that led to an order; a cancelled one never happened." }
-- conversion = { unit = "share", means = "Orders ÷ sessions." }
-- lift = { unit = "ratio", means = "Conversion ÷ the conversion of all sessions." }
WITH
    {as_of:DateTime64(3, 'UTC')} - toIntervalDay({days:UInt32}) AS since,
    visits AS (
        SELECT customer_id, arrayJoin(visited) AS visit,
               arrayExists(at -> at >= visit[1].2 AND at <= visit[-1].2 + {order_hours:Int64} * 3600000, placed) AS is_ordering,
               arrayCompact(visit.3) AS pages
        FROM (
            SELECT customer_id, arraySort(groupArrayIf((session, at, page), is_view)) AS views, groupArrayIf(at, NOT is_view) AS placed,
                   arraySplit(
                       (view, before) -> view.1 != before.1 OR (view.1 = '' AND view.2 - before.2 >= 1800000),
                       views, arrayPushFront(arrayPopBack(views), views[1])) AS visited
            FROM (
                SELECT customer_id, ifNull(session_id, '') AS session, toUnixTimestamp64Milli(occurred_at) AS at,
                       multiIf(position(url, '://') = 0, cutQueryStringAndFragment(url), path(url) = '', '/', path(url)) AS page,
                       true AS is_view
                FROM PageViewed FINAL
                WHERE occurred_at > since AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
                  AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
                UNION ALL
                SELECT customer_id, '', toUnixTimestamp64Milli(placed_at), '', false
                FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
                WHERE NOT cancelled AND placed_at > since
            )
            GROUP BY customer_id
            HAVING notEmpty(views)
        )
    )
SELECT arrayStringConcat(gone, ' → ') AS path, sessions, customers, sessions / all_sessions AS share, orders,
       orders / sessions AS conversion, conversion / nullIf(all_orders / all_sessions, 0) AS lift
FROM (
    -- the empty path is in every session, so that one pass counts all of them too
    SELECT gone, count() AS sessions, uniqExact(customer_id) AS customers, countIf(is_ordering) AS orders,
           sumIf(sessions, empty(gone)) OVER () AS all_sessions, sumIf(orders, empty(gone)) OVER () AS all_orders
    FROM (
        SELECT customer_id, is_ordering,
               arrayJoin(arrayPushBack(arrayDistinct(arrayMap(
                   start -> arraySlice(pages, start, {length:UInt32}),
                   range(1, toUInt64(greatest(1, toInt64(length(pages)) - {length:Int64} + 2))))), [])) AS gone
        FROM visits
    )
    GROUP BY gone
)
WHERE notEmpty(gone)
ORDER BY sessions DESC, path
LIMIT {rows:UInt32}
