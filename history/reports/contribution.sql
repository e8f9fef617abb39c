-- How much is left of what customers pay, after goods, campaigns and discounts: by customer, value tier, segment or stage?
-- ---
-- title = "Contribution and margin"
-- group = "profitability"
-- chart = { kind = "bar", x = "label", y = "contribution" }
-- [parameters]
-- by = { kind = "choice", choices = ["customer", "tier", "segment", "stage"], default = "tier", means = "One row for each. Tiers are fifths of the customers with an order by net, 5 the highest. A customer may be in several segments." }
-- top = { kind = "integer", default = 20, minimum = 1, maximum = 1000, means = "Those that contribute most; the rest are one row." }
-- [columns]
-- place = { unit = "count", means = "1 contributes most; null for the others." }
-- label = { unit = "text", means = "Customer, tier, segment or stage; none for who is in no tier or segment, others for the rest." }
-- customers = { unit = "customers", means = "Customers with an order or a message of a campaign." }
-- orders = { unit = "orders", means = "Orders, without cancelled ones." }
-- net = { unit = "money", means = "Paid for them less refunds; discounts are already taken off." }
-- discounts = { unit = "money", means = "What was taken off." }
-- orders_without_cost = { unit = "orders", means = "Orders whose cost is not known: a line does not tell it, there are no lines, or there is no exchange rate." }
-- net_without_cost = { unit = "money", means = "The net of these, which is not in contribution." }
-- cost = { unit = "money", means = "Cost of the goods of the other orders, refunded or not." }
-- campaign_cost = { unit = "money", means = "Cost of the messages of campaigns to these customers, where it is told." }
-- contribution = { unit = "money", means = "Net of the orders whose cost is known, less that cost, less campaigns; null where no order's cost is known." }
-- margin_share = { unit = "ratio", means = "Contribution ÷ the net of the orders whose cost is known; below 0 where it is a loss." }
SELECT
    if(rank <= {top:UInt32}, rank, NULL) AS place,
    if(rank <= {top:UInt32}, name, 'others') AS label,
    sum(each.customers) AS customers,
    sum(each.orders) AS orders,
    sum(each.net) AS net,
    sum(each.discounts) AS discounts,
    sum(each.uncosted) AS orders_without_cost,
    sum(each.net_uncosted) AS net_without_cost,
    sum(each.cost) AS cost,
    sum(each.campaigns) AS campaign_cost,
    if(orders > 0 AND orders = orders_without_cost, NULL, net - net_without_cost - cost - campaign_cost) AS contribution,
    contribution / nullIf(net - net_without_cost, 0) AS margin_share
FROM (
    SELECT
        name, count() AS customers, sum(b.orders) AS orders, sum(b.net) AS net, sum(b.discounts) AS discounts,
        sum(b.uncosted) AS uncosted, sum(b.net_uncosted) AS net_uncosted, sum(b.cost) AS cost, sum(b.campaigns) AS campaigns,
        row_number() OVER (
            ORDER BY if(orders > uncosted OR orders = 0, 0, 1), net - net_uncosted - cost - campaigns DESC, net DESC, name
        ) AS rank
    FROM (
        SELECT
            orders, net, discounts, uncosted, net_uncosted, cost, campaigns,
            multiIf(
                {by:String} = 'customer', [customer_id],
                {by:String} = 'stage', [stage],
                {by:String} = 'segment', if(empty(segments), ['none'], segments),
                orders = 0, ['none'],
                [toString(1 + arrayCount(fifth -> below >= intDiv(buyers * fifth + 4, 5), [1, 2, 3, 4]))]
            ) AS names
        FROM (
            SELECT
                *, if(orders > 0, 1, 0) AS has_order,
                if({by:String} = 'tier', sum(has_order) OVER (), 0) AS buyers,
                if({by:String} = 'tier', rank() OVER (PARTITION BY has_order ORDER BY net) - 1, 0) AS below
            FROM (
                SELECT
                    customer_id, sum(placed) AS orders, sum(net_minor) AS net, sum(discount_minor) AS discounts,
                    sum(without_cost) AS uncosted, sum(if(without_cost = 1, net_minor, 0)) AS net_uncosted,
                    sum(cost_minor) AS cost, sum(campaign_minor) AS campaigns, max(sent) AS told,
                    if({by:String} = 'stage', argMax(told_stage, told_offset), '') AS stage,
                    if({by:String} = 'segment', arraySort(groupUniqArrayArray(told_segments)), []) AS segments
                FROM (
                    SELECT
                        customer_id, 1 AS placed, toInt128(coalesce(base_minor, 0)) AS net_minor, toInt128(coalesce(discount_base_minor, 0)) AS discount_minor,
                        toUInt8(isNull(cost_base_minor) OR isNull(base_minor)) AS without_cost,
                        toInt128(if(without_cost = 1, 0, assumeNotNull(cost_base_minor))) AS cost_minor,
                        toInt128(0) AS campaign_minor, 0 AS sent, 'prospect' AS told_stage, toInt64(-1) AS told_offset, CAST([], 'Array(String)') AS told_segments
                    FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
                    WHERE NOT cancelled
                    UNION ALL
                    WITH abs(cost_minor) <= rates.most_minor AS fits
                    SELECT customer_id, 0, 0, 0, 0, 0, coalesce(toInt64(roundBankers(if(fits, cost_minor, 0) * if(fits, rates.factor, NULL))), 0), 1, 'prospect', -1, []
                    FROM CampaignSent AS message FINAL
                    LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = message.currency
                    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
                      AND (message.topic, message.partition, message.offset)
                          NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
                    UNION ALL
                    SELECT customer_id, 0, 0, 0, 0, 0, 0, 0, to_stage, offset, []
                    FROM transitions_at(as_of = {as_of:DateTime64(3, 'UTC')})
                    WHERE {by:String} = 'stage'
                    UNION ALL
                    SELECT customer_id, 0, 0, 0, 0, 0, 0, 0, 'prospect', -1, [segment]
                    FROM (
                        SELECT customer_id, segment
                        FROM SegmentChanged FINAL
                        WHERE {by:String} = 'segment' AND topic = 'headwater.transitions' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
                        GROUP BY customer_id, segment
                        HAVING argMax(entered, offset)
                    )
                )
                GROUP BY customer_id
                HAVING orders > 0 OR told > 0
            )
        )
    ) AS b
    ARRAY JOIN names AS name
    GROUP BY name
) AS each
GROUP BY place, label
ORDER BY place IS NULL, place
