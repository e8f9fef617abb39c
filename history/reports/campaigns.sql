-- What came of each campaign, and what did it cost?
-- ---
-- title = "Campaigns"
-- group = "promotion"
-- chart = { kind = "bar", x = "name", y = ["open_rate", "click_rate", "redeem_rate"] }
-- [parameters]
-- campaign = { kind = "text", means = "One campaign, by its id; all when left out." }
-- [columns]
-- campaign = { unit = "text", means = "Campaign, as the marketing system names it." }
-- name = { unit = "text", means = "Its name; its id where it was never planned." }
-- starts_on = { unit = "date", means = "First day, as planned." }
-- audience_size = { unit = "customers", means = "How many customers it is for, as planned." }
-- sent = { unit = "count", means = "Messages sent, of every variant." }
-- customers = { unit = "customers", means = "Customers they went to." }
-- delivered = { unit = "count", means = "Messages that did not bounce." }
-- opened = { unit = "count", means = "Of the delivered, those that the customer opened; what a mail program fetched unasked does not count." }
-- clicked = { unit = "count", means = "Of the delivered, those of which a link was followed." }
-- redeemed = { unit = "count", means = "Of the delivered, those whose customer redeemed a coupon of the campaign after it." }
-- unsubscribed = { unit = "count", means = "Of the delivered, those after which the customer wanted no more." }
-- complained = { unit = "count", means = "Of the delivered, those marked as unwanted." }
-- delivery_rate = { unit = "share", means = "Delivered ÷ sent." }
-- open_rate = { unit = "share", means = "Opened ÷ delivered." }
-- click_rate = { unit = "share", means = "Clicked ÷ delivered." }
-- redeem_rate = { unit = "share", means = "Redeemed ÷ delivered." }
-- unsubscribe_rate = { unit = "share", means = "Unsubscribed ÷ delivered." }
-- complaint_rate = { unit = "share", means = "Complained ÷ delivered." }
-- cost = { unit = "money", means = "What sending cost; null where nothing says." }
-- budget = { unit = "money", means = "What it may cost, as planned." }
-- spent = { unit = "ratio", means = "Cost ÷ budget." }
-- revenue = { unit = "money", means = "Net of the orders that coupons of the campaign were redeemed on, each order once." }
-- revenue_per_cost = { unit = "ratio", means = "Revenue ÷ cost." }
WITH
    responses AS (
        SELECT campaign_id, count() AS sent, uniqExact(customer_id) AS customers,
               countIf(bounced_at IS NULL) AS delivered, countIf(bounced_at IS NULL AND opened_at IS NOT NULL) AS opened,
               countIf(bounced_at IS NULL AND clicked_at IS NOT NULL) AS clicked,
               countIf(bounced_at IS NULL AND redeemed_at IS NOT NULL) AS redeemed,
               countIf(bounced_at IS NULL AND unsubscribed_at IS NOT NULL) AS unsubscribed,
               countIf(bounced_at IS NULL AND complained_at IS NOT NULL) AS complained,
               sum(toInt128(cost_base_minor)) AS cost
        FROM campaign_responses_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE {campaign:Nullable(String)} IS NULL OR campaign_id = {campaign:Nullable(String)}
        GROUP BY campaign_id
    ),
    redeeming AS (
        SELECT DISTINCT ifNull(campaign_id, '') AS of_campaign, customer_id, ifNull(order_id, '') AS of_order
        FROM coupon_redemptions_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE of_campaign != '' AND of_order != ''
          AND ({campaign:Nullable(String)} IS NULL OR of_campaign = {campaign:Nullable(String)})
    ),
    revenues AS (
        SELECT redeeming.of_campaign AS campaign_id, sum(toInt128(orders.base_minor)) AS revenue
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS orders
        JOIN redeeming ON redeeming.customer_id = orders.customer_id AND redeeming.of_order = orders.order_id
        WHERE NOT orders.cancelled
        GROUP BY campaign_id
    )
SELECT campaign_id AS campaign, coalesce(max(title), campaign) AS name, max(starts) AS starts_on,
       max(size) AS audience_size, sum(told.sent) AS sent, sum(told.customers) AS customers,
       sum(told.delivered) AS delivered, sum(told.opened) AS opened, sum(told.clicked) AS clicked,
       sum(told.redeemed) AS redeemed, sum(told.unsubscribed) AS unsubscribed, sum(told.complained) AS complained,
       delivered / nullIf(sent, 0) AS delivery_rate, opened / nullIf(delivered, 0) AS open_rate,
       clicked / nullIf(delivered, 0) AS click_rate, redeemed / nullIf(delivered, 0) AS redeem_rate,
       unsubscribed / nullIf(delivered, 0) AS unsubscribe_rate, complained / nullIf(delivered, 0) AS complaint_rate,
       sum(told.cost) AS cost, max(planned) AS budget, cost / nullIf(budget, 0) AS spent,
       sum(told.revenue) AS revenue, revenue / nullIf(cost, 0) AS revenue_per_cost
FROM (
    SELECT campaign_id, NULL AS title, NULL AS starts, NULL AS size, sent, customers, delivered, opened, clicked,
           redeemed, unsubscribed, complained, cost, NULL AS planned, NULL AS revenue
    FROM responses
    UNION ALL
    SELECT campaign_id, name, starts_on, audience_size, 0, 0, 0, 0, 0, 0, 0, 0, NULL, budget_base_minor, NULL
    FROM campaigns_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE {campaign:Nullable(String)} IS NULL OR campaign_id = {campaign:Nullable(String)}
    UNION ALL
    SELECT campaign_id, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, revenue
    FROM revenues
) AS told
GROUP BY campaign
ORDER BY starts_on DESC NULLS LAST, campaign
