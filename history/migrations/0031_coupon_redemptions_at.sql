CREATE OR REPLACE VIEW coupon_redemptions_at AS
SELECT redeemed.coupon AS coupon, redeemed.campaign_id AS campaign_id, redeemed.customer_id AS customer_id,
       redeemed.order_id AS order_id, redeemed.occurred_at AS redeemed_at, redeemed.discount_minor AS discount_minor,
       redeemed.currency AS currency,
       toInt64(roundBankers(redeemed.discount_minor * nullIf(rates.factor, 0))) AS discount_base_minor
FROM CouponRedeemed AS redeemed FINAL
LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = redeemed.currency
WHERE redeemed.occurred_at <= {as_of:DateTime64(3, 'UTC')}
  AND (redeemed.topic, redeemed.partition, redeemed.offset)
      NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
COMMENT 'Each redemption of a coupon. Of the events up to as_of.'
