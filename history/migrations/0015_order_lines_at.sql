CREATE OR REPLACE VIEW order_lines_at AS
WITH (minor, factor, most) -> toInt64(roundBankers(if(abs(minor) <= most, minor, 0) * if(abs(minor) <= most, factor, NULL))) AS in_base
SELECT placed.order_id AS order_id, placed.customer_id AS customer_id, placed.occurred_at AS placed_at,
       placed.currency AS currency,
       (placed.customer_id, placed.order_id) IN (
           SELECT customer_id, order_id
           FROM OrderCancelled FINAL
           WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
             AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
       ) AS cancelled,
       number AS line, item.sku AS sku, item.category AS category, item.quantity AS quantity,
       item.unit_price_minor AS unit_price_minor, item.cost_minor AS cost_minor,
       in_base(toInt128(item.quantity) * item.unit_price_minor, rates.factor, rates.most_minor) AS value_base_minor,
       in_base(toInt128(item.quantity) * item.cost_minor, rates.factor, rates.most_minor) AS cost_base_minor,
       placed.store AS store, placed.channel AS channel
FROM OrderPlaced AS placed FINAL
LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = placed.currency
ARRAY JOIN placed.lines AS item, arrayEnumerate(placed.lines) AS number
WHERE placed.occurred_at <= {as_of:DateTime64(3, 'UTC')}
  AND (placed.topic, placed.partition, placed.offset)
      NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
COMMENT 'Each product of each order; repeats left out. Of the events up to as_of.'
