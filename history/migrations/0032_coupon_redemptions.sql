CREATE OR REPLACE VIEW coupon_redemptions (
    coupon String COMMENT 'Coupon code.',
    campaign_id Nullable(String) COMMENT 'Campaign that gave the coupon out.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    order_id Nullable(String) COMMENT 'Order it was used on.',
    redeemed_at DateTime64(3, 'UTC') COMMENT 'When it was redeemed (event time).',
    discount_minor Nullable(Int64) COMMENT 'What it took off. Minor units.',
    currency LowCardinality(Nullable(String)) COMMENT 'ISO 4217 code of the discount.',
    discount_base_minor Nullable(Int64) COMMENT 'The discount in the base currency. Minor units.'
) AS
SELECT coupon, campaign_id, customer_id, order_id, redeemed_at, discount_minor, currency,
       discount_base_minor
FROM coupon_redemptions_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each redemption of a coupon.'
