-- Who are the customers: by a trait, region, channel, kind, stage or source?
-- ---
-- title = "Customers by trait, channel and region"
-- group = "profiling"
-- chart = { kind = "bar", x = "value", y = "customers" }
-- [parameters]
-- by = { kind = "choice", default = "region", choices = ["region", "trait", "channel", "kind", "stage", "source"], means = "What to group by. region: the trait region, else country; channel and source: those of the customer's first event." }
-- trait = { kind = "text", default = "city", means = "Name of the trait, where by is trait." }
-- top = { kind = "integer", default = 50, minimum = 1, maximum = 10000, means = "How many values to show, those of most customers first." }
-- [columns]
-- value = { unit = "text", means = "The trait, region, channel, kind, stage or source; null where it is not known." }
-- customers = { unit = "customers", means = "Customers of whom it is true at as_of." }
-- share = { unit = "share", means = "Of all customers, 0 to 1." }
-- buyers = { unit = "customers", means = "Those of them with an order." }
-- orders = { unit = "orders", means = "Their orders, without cancelled ones." }
-- net = { unit = "money", means = "What they paid less refunds; null where nothing of it can be converted." }
-- net_share = { unit = "share", means = "Of the net of all customers." }
SELECT
    value,
    count() AS customers,
    count() / sum(count()) OVER () AS share,
    countIf(ordered > 0) AS buyers,
    sum(ordered) AS orders,
    if(buyers = 0, 0, sumIf(brought, ordered > 0)) AS net,
    net / nullIf(sum(net) OVER (), 0) AS net_share
FROM (
    SELECT
        sum(n) AS ordered,
        sum(base) AS brought,
        coalesce(anyIf(word, what = 1), anyIf(word, what = 2), if({by:String} = 'stage', 'prospect', NULL)) AS value
    FROM (
        SELECT customer_id, 0 AS what, CAST(NULL, 'Nullable(String)') AS word, 0 AS n, CAST(NULL, 'Nullable(Int64)') AS base
        FROM events
        WHERE customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')} AND {by:String} NOT IN ('source', 'channel')
        GROUP BY customer_id
        UNION ALL
        SELECT customer_id, 1, toNullable(toString(argMin(source, bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id)))), 0, NULL
        FROM events
        WHERE customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')} AND {by:String} = 'source'
        GROUP BY customer_id
        UNION ALL
        SELECT customer_id, 1, toString(argMin(tuple(channel), bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id)).1), 0, NULL
        FROM events
        WHERE customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')} AND {by:String} = 'channel'
        GROUP BY customer_id
        UNION ALL
        SELECT customer_id, if({by:String} = 'region' AND trait = 'country', 2, 1), nullIf(value, ''), 0, NULL
        FROM traits_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE ({by:String} = 'region' AND trait IN ('region', 'country')) OR ({by:String} = 'trait' AND trait = {trait:String})
        UNION ALL
        SELECT customer_id, 1, toNullable(argMax(kind, bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id))), 0, NULL
        FROM CustomerRegistered
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND {by:String} = 'kind'
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        GROUP BY customer_id
        UNION ALL
        SELECT customer_id, 1, toNullable(stage), 0, NULL
        FROM stages_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE {by:String} = 'stage'
        UNION ALL
        SELECT customer_id, 0, NULL, count(), sum(toInt128(base_minor))
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
        GROUP BY customer_id
    )
    GROUP BY customer_id
)
GROUP BY value
ORDER BY customers DESC, value
LIMIT {top:UInt32}
