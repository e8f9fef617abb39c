-- Which RFM cells answer campaigns?
-- ---
-- title = "Campaign response by RFM cell"
-- group = "promotion"
-- chart = { kind = "heatmap", x = "f", y = "r", value = "click_rate" }
-- [parameters]
-- campaign = { kind = "text", means = "One campaign, by its id; all when left out." }
-- [columns]
-- r = { unit = "score", means = "Recency score of the customer as of the report, 5 the most recent; null without an order." }
-- f = { unit = "score", means = "Frequency score, 5 the most frequent; null without an order." }
-- customers = { unit = "customers", means = "Customers of the cell that a message went to." }
-- sent = { unit = "count", means = "Messages sent to them." }
-- delivered = { unit = "count", means = "Messages that did not bounce." }
-- opened = { unit = "count", means = "Of the delivered, those that were opened; what a mail program fetched unasked does not count." }
-- clicked = { unit = "count", means = "Of the delivered, those of which a link was followed." }
-- redeemed = { unit = "count", means = "Of the delivered, those whose customer redeemed a coupon of the campaign after it." }
-- open_rate = { unit = "share", means = "Opened ÷ delivered." }
-- click_rate = { unit = "share", means = "Clicked ÷ delivered." }
-- redeem_rate = { unit = "share", means = "Redeemed ÷ delivered." }
WITH responses AS (
    SELECT customer_id, count() AS sent, countIf(bounced_at IS NULL) AS delivered,
           countIf(bounced_at IS NULL AND opened_at IS NOT NULL) AS opened,
           countIf(bounced_at IS NULL AND clicked_at IS NOT NULL) AS clicked,
           countIf(bounced_at IS NULL AND redeemed_at IS NOT NULL) AS redeemed
    FROM campaign_responses_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE {campaign:Nullable(String)} IS NULL OR campaign_id = {campaign:Nullable(String)}
    GROUP BY customer_id
)
SELECT nullIf(buyers.r, 0) AS r, nullIf(buyers.f, 0) AS f, count() AS customers, sum(responses.sent) AS sent,
       sum(responses.delivered) AS delivered, sum(responses.opened) AS opened, sum(responses.clicked) AS clicked,
       sum(responses.redeemed) AS redeemed, opened / nullIf(delivered, 0) AS open_rate,
       clicked / nullIf(delivered, 0) AS click_rate, redeemed / nullIf(delivered, 0) AS redeem_rate
FROM responses
LEFT JOIN (SELECT customer_id, r, f FROM buyers_at(as_of = {as_of:DateTime64(3, 'UTC')})) AS buyers
    ON buyers.customer_id = responses.customer_id
GROUP BY r, f
ORDER BY r DESC NULLS LAST, f DESC NULLS LAST
