CREATE OR REPLACE VIEW deliveries (
    decision_id UUID COMMENT 'The decision whose message it is; the webhook-id that the receiver sees.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    state String COMMENT 'pending, delivered, abandoned (a check failed) or parked (no attempt is left; a redrive has it tried again).',
    attempts Int32 COMMENT 'How often it was sent, or that was tried.',
    delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the receiver took it.',
    abandoned_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was given up, if it is.',
    abandoned_why Nullable(String) COMMENT 'Which check failed; refused, the address may not be called; parked, no attempt is left.',
    abandoned_reason Nullable(String) COMMENT 'Why it was given up, in words.'
) AS
WITH argMax(what, offset) = 'abandoned' AND countIf(what = 'delivered') = 0 AS given_up, argMax(why, offset) AS last_why
SELECT decision_id, customer_id,
       multiIf(countIf(what = 'delivered') > 0, 'delivered', NOT given_up, 'pending', last_why = 'parked', 'parked', 'abandoned') AS state,
       max(tried) AS attempts,
       minOrNullIf(at, what = 'delivered') AS delivered_at,
       if(given_up, argMax(at, offset), NULL) AS abandoned_at,
       if(given_up, last_why, NULL) AS abandoned_why,
       if(given_up, argMax(words, offset), NULL) AS abandoned_reason
FROM (
    SELECT decision_id, customer_id, occurred_at AS at, offset, 'attempted' AS what, attempt AS tried, '' AS why, '' AS words
    FROM DeliveryAttempted FINAL WHERE topic = 'headwater.decisions'
    UNION ALL
    SELECT decision_id, customer_id, occurred_at, offset, 'delivered', attempts, '', ''
    FROM DeliverySucceeded FINAL WHERE topic = 'headwater.decisions'
    UNION ALL
    SELECT decision_id, customer_id, occurred_at, offset, 'abandoned', attempts, why, reason
    FROM DeliveryAbandoned FINAL WHERE topic = 'headwater.decisions'
    UNION ALL
    SELECT decision_id, customer_id, occurred_at, offset, 'redriven', 0, '', ''
    FROM DeliveryRedriven FINAL WHERE topic = 'headwater.decisions'
)
GROUP BY customer_id, decision_id
COMMENT 'What became so far of each message that was tried, delivered, given up or redriven.'
