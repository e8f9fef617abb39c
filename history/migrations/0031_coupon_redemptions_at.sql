CREATE OR REPLACE VIEW coupon_redemptions_at AS
WITH (minor, factor, most) -> toInt64(roundBankers(if(abs(minor) <= most, minor, 0) * if(abs(minor) <= most, factor, NULL))) AS in_base
SELECT redeemed.coupon AS coupon, redeemed.campaign_id AS campaign_id, redeemed.customer_id AS customer_id,
       redeemed.order_id AS order_id, redeemed.occurred_at AS redeemed_at, redeemed.discount_minor AS discount_minor,
       redeemed.currency AS currency,
       in_base(redeemed.discount_minor, rates.factor, rates.most_minor) AS discount_base_minor
FROM CouponRedeemed AS redeemed FINAL
LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = redeemed.currency
WHERE redeemed.occurred_at <= {as_of:DateTime64(3, 'UTC')}
  AND (redeemed.topic, redeemed.partition, redeemed.offset)
      NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
COMMENT 'Each redemption of a coupon. Of the events up to as_of.'
