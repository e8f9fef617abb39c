CREATE OR REPLACE VIEW campaign_responses (
    campaign_id String COMMENT 'Campaign.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    message_id Nullable(String) COMMENT 'The single message, as the sending system names it.',
    variant Nullable(String) COMMENT 'Arm of the campaign''s test: a, b, control …',
    channel Nullable(String) COMMENT 'Through which it was sent.',
    sent_at DateTime64(3, 'UTC') COMMENT 'When it was sent (event time).',
    cost_base_minor Nullable(Int64) COMMENT 'What sending it cost, in the base currency; null where that is not told or cannot be converted. Minor units.',
    opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First opened by the customer; what a mail program fetched unasked is left out.',
    clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First clicked.',
    redeemed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First coupon of the campaign redeemed.',
    bounced_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it bounced.',
    complained_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the customer complained about it.',
    unsubscribed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the customer unsubscribed by it.'
) AS
SELECT campaign_id, customer_id, message_id, variant, channel, sent_at, cost_base_minor, opened_at,
       clicked_at, redeemed_at, bounced_at, complained_at, unsubscribed_at
FROM campaign_responses_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each message of a campaign, one that was told again as it was told first, with what the customer did: a response belongs to the message that it names, if that was sent, else to the latest of the campaign before it.'
