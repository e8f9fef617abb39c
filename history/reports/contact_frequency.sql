-- Do customers order more, or leave and complain, when we contact them more often?
-- ---
-- title = "Contact frequency"
-- group = "behaviour"
-- chart = { kind = "line", x = "contacts", y = ["order_rate", "unsubscribe_rate", "complaint_rate"] }
-- [parameters]
-- days = { kind = "integer", default = 90, minimum = 1, maximum = 3650, means = "Days in which contacts are counted; they end where the days of the outcome begin." }
-- outcome_days = { kind = "integer", default = 30, minimum = 1, maximum = 365, means = "Days after that, up to as_of, in which customers order, unsubscribe or complain." }
-- direction = { kind = "choice", choices = ["outbound", "both"], default = "outbound", means = "Whether logged calls, mails, chats and visits count where we began, or all." }
-- [columns]
-- contacts = { unit = "text", means = "Messages of campaigns and logged contacts of a customer in the days before." }
-- customers = { unit = "customers", means = "Customers with so many, of those seen before the days of the outcome." }
-- average = { unit = "count", means = "Mean of their contacts." }
-- ordered = { unit = "customers", means = "Of them, those who ordered in the days of the outcome." }
-- order_rate = { unit = "share", means = "Ordered ÷ customers." }
-- unsubscribed = { unit = "customers", means = "Those who unsubscribed from a campaign then." }
-- unsubscribe_rate = { unit = "share", means = "Unsubscribed ÷ customers." }
-- complained = { unit = "customers", means = "Those who marked a message as unwanted then." }
-- complaint_rate = { unit = "share", means = "Complained ÷ customers." }
WITH
    {as_of:DateTime64(3, 'UTC')} AS until,
    until - toIntervalDay({outcome_days:UInt32}) AS cut,
    cut - toIntervalDay({days:UInt32}) AS since
SELECT ['0', '1', '2', '3-5', '6-10', '11+'][bucket] AS contacts, count() AS customers, avg(number) AS average,
       countIf(is_ordering) AS ordered, ordered / customers AS order_rate, countIf(is_leaving) AS unsubscribed,
       unsubscribed / customers AS unsubscribe_rate, countIf(is_complaining) AS complained,
       complained / customers AS complaint_rate
FROM (
    SELECT customer_id, countIf(what = 'contact') AS number, countIf(what = 'order') > 0 AS is_ordering,
           countIf(what = 'leave') > 0 AS is_leaving, countIf(what = 'complaint') > 0 AS is_complaining,
           multiIf(number <= 2, number + 1, number <= 5, 4, number <= 10, 5, 6) AS bucket
    FROM (
        SELECT customer_id, 'seen' AS what FROM events WHERE customer_id != '' AND occurred_at <= cut GROUP BY customer_id
        UNION ALL
        SELECT customer_id, 'contact' FROM CampaignSent FINAL
        WHERE occurred_at > since AND occurred_at <= cut
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT customer_id, 'contact' FROM ContactLogged FINAL
        WHERE occurred_at > since AND occurred_at <= cut AND ({direction:String} = 'both' OR direction = 'outbound')
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT customer_id, 'order' FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) WHERE placed_at > cut AND NOT cancelled
        UNION ALL
        SELECT customer_id, 'leave' FROM CampaignUnsubscribed FINAL
        WHERE occurred_at > cut AND occurred_at <= until
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT customer_id, 'complaint' FROM CampaignComplained FINAL
        WHERE occurred_at > cut AND occurred_at <= until
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    )
    GROUP BY customer_id
    HAVING countIf(what = 'seen') > 0
)
GROUP BY bucket
ORDER BY bucket
