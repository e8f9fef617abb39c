-- Where does the revenue come from: which product, category, channel, store or owner?
-- ---
-- title = "Revenue"
-- group = "performance"
-- chart = { kind = "bar", x = "label", y = "value" }
-- [parameters]
-- by = { kind = "choice", choices = ["product", "category", "channel", "store", "owner"], default = "product", means = "One row for each. The owner is the colleague who is responsible for the customer at as_of." }
-- top = { kind = "integer", default = 20, minimum = 1, maximum = 1000, means = "Those that brought most; the rest are one row." }
-- since = { kind = "date", means = "Orders from this day on; all if left out." }
-- until = { kind = "date", means = "Orders up to this day; all if left out." }
-- [columns]
-- place = { unit = "count", means = "1 brought most; null for the others." }
-- label = { unit = "text", means = "Product, category, channel, store or owner; unknown where none is told, others for the rest." }
-- orders = { unit = "orders", means = "Orders, without cancelled ones; of a product or category those with a line of it, so that the rows add up to more than all." }
-- units = { unit = "count", means = "Units in the lines of the orders." }
-- value = { unit = "money", means = "Of a product or category: quantity × unit price of its lines, before discounts of the order and refunds. Else as net." }
-- net = { unit = "money", means = "Paid for the orders less refunds; null for products and categories, as an amount is one for the whole order." }
-- share = { unit = "share", means = "Of the value of all that have some; null below 0." }
WITH
    toDate32(placed_at, {timezone:String}) AS placed_on,
    placed_on >= coalesce({since:Nullable(Date32)}, placed_on) AND placed_on <= coalesce({until:Nullable(Date32)}, placed_on) AS is_asked
SELECT
    if(rank <= {top:UInt32}, rank, NULL) AS place,
    if(rank <= {top:UInt32}, name, 'others') AS label,
    sum(placed) AS orders,
    sum(bought) AS units,
    sum(brought) AS value,
    if({by:String} IN ('product', 'category'), NULL, value) AS net,
    if(value >= 0, value / nullIf(sum(greatest(value, 0)) OVER (), 0), NULL) AS share
FROM (
    SELECT
        name, sum(placed) AS placed, sum(bought) AS bought, sum(brought) AS brought,
        row_number() OVER (ORDER BY brought DESC, name) AS rank
    FROM (
        SELECT name, uniqExact(order) AS placed, sum(quantity) AS bought, sum(minor) AS brought
        FROM (
            SELECT
                coalesce(if({by:String} = 'product', sku, category), 'unknown') AS name,
                cityHash64(customer_id, order_id) AS order, quantity, toInt128(coalesce(value_base_minor, 0)) AS minor
            FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE {by:String} IN ('product', 'category') AND NOT cancelled AND is_asked
        )
        GROUP BY name
        UNION ALL
        SELECT name, sum(placed), sum(quantity), sum(minor)
        FROM (
            SELECT coalesce(if({by:String} = 'channel', toString(channel), store), 'unknown') AS name, 1 AS placed, 0 AS quantity, toInt128(coalesce(base_minor, 0)) AS minor
            FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE {by:String} IN ('channel', 'store') AND NOT cancelled AND is_asked
            UNION ALL
            SELECT coalesce(if({by:String} = 'channel', toString(channel), store), 'unknown') AS name, 0, quantity, 0
            FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE {by:String} IN ('channel', 'store') AND NOT cancelled AND is_asked
        )
        GROUP BY name
        UNION ALL
        SELECT if(owners.owner_id = '', 'unknown', owners.owner_id) AS name, sum(placed), sum(quantity), sum(minor)
        FROM (
            SELECT customer_id, 1 AS placed, 0 AS quantity, toInt128(coalesce(base_minor, 0)) AS minor
            FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE {by:String} = 'owner' AND NOT cancelled AND is_asked
            UNION ALL
            SELECT customer_id, 0, quantity, 0
            FROM order_lines_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE {by:String} = 'owner' AND NOT cancelled AND is_asked
        ) AS bought
        LEFT JOIN (
            SELECT customer_id, argMax(owner_id, (occurred_at, event_id)) AS owner_id
            FROM OwnerAssigned FINAL
            WHERE {by:String} = 'owner' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
              AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
            GROUP BY customer_id
        ) AS owners ON owners.customer_id = bought.customer_id
        GROUP BY name
    )
    GROUP BY name
)
GROUP BY place, label
ORDER BY place IS NULL, place
