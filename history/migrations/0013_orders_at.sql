CREATE OR REPLACE VIEW orders_at AS
WITH (minor, factor, most) -> toInt64(roundBankers(if(abs(minor) <= most, minor, 0) * if(abs(minor) <= most, factor, NULL))) AS in_base
SELECT placed.order_id AS order_id, placed.customer_id AS customer_id, placed.occurred_at AS placed_at,
       placed.currency AS currency, placed.amount_minor AS amount_minor, refunds.refunded_minor AS refunded_minor,
       (placed.customer_id, placed.order_id) IN (
           SELECT customer_id, order_id
           FROM OrderCancelled FINAL
           WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
             AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
       ) AS cancelled,
       if(cancelled, 0, placed.amount_minor - refunds.refunded_minor) AS net_minor,
       if(net_minor = 0, 0, in_base(net_minor, rates.factor, rates.most_minor)) AS base_minor,
       multiIf(cancelled, 0, empty(placed.lines) OR arrayExists(cost -> cost IS NULL, placed.lines.cost_minor), NULL,
               in_base(arraySum((quantity, cost) -> toInt128(quantity) * assumeNotNull(cost), placed.lines.quantity, placed.lines.cost_minor),
                       rates.factor, rates.most_minor)) AS cost_base_minor,
       placed.discount_minor AS discount_minor,
       if(placed.discount_minor = 0, 0, in_base(placed.discount_minor, rates.factor, rates.most_minor)) AS discount_base_minor,
       placed.tax_minor AS tax_minor, placed.shipping_minor AS shipping_minor, placed.store AS store,
       placed.coupon AS coupon, placed.channel AS channel, placed.source AS source, placed.event_id AS event_id
FROM OrderPlaced AS placed FINAL
LEFT JOIN (
    SELECT cityHash64(firsts.customer_id) AS customer, firsts.event_id AS event_id, refunded.refunded_minor AS refunded_minor
    FROM (
        SELECT customer_id, order_id, currency, toInt64(least(sum(toInt128(amount_minor)), 9223372036854775807)) AS refunded_minor
        FROM OrderRefunded FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        GROUP BY customer_id, order_id, currency
    ) AS refunded
    JOIN (
        SELECT customer_id, order_id, currency, argMin(event_id, (occurred_at, event_id)) AS event_id
        FROM OrderPlaced FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND order_id IN (SELECT order_id FROM OrderRefunded)
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        GROUP BY customer_id, order_id, currency
    ) AS firsts USING (customer_id, order_id, currency)
) AS refunds ON refunds.event_id = placed.event_id AND refunds.customer = cityHash64(placed.customer_id)
LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = placed.currency
WHERE placed.occurred_at <= {as_of:DateTime64(3, 'UTC')}
  AND (placed.topic, placed.partition, placed.offset)
      NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
COMMENT 'Each order with what became of it; repeats left out, and of an order that was told again the first telling bears the refunds. Of the events up to as_of.'
