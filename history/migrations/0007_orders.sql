CREATE OR REPLACE VIEW orders (
    order_id String COMMENT 'Order, as the shop names it.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    placed_at DateTime64(3, 'UTC') COMMENT 'When it was placed (event time).',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts.',
    amount_minor Int64 COMMENT 'Amount paid, after discount. Minor units.',
    refunded_minor Int64 COMMENT 'Refunded so far, in the currency of the order. Minor units.',
    cancelled Bool COMMENT 'Whether it was cancelled: it then counts for nothing.',
    net_minor Int64 COMMENT 'Amount paid less refunds, 0 if cancelled. Minor units.',
    store Nullable(String) COMMENT 'Shop or branch that sold it.',
    channel LowCardinality(Nullable(String)) COMMENT 'Where the customer was.',
    event_id UUID COMMENT 'Event that placed it.'
) AS
SELECT placed.order_id AS order_id, placed.customer_id AS customer_id, placed.occurred_at AS placed_at,
       placed.currency AS currency, placed.amount_minor AS amount_minor,
       refunds.refunded_minor AS refunded_minor,
       (placed.customer_id, placed.order_id) IN (SELECT customer_id, order_id FROM OrderCancelled FINAL) AS cancelled,
       if(cancelled, 0, placed.amount_minor - refunds.refunded_minor) AS net_minor,
       placed.store AS store, placed.channel AS channel, placed.event_id AS event_id
FROM OrderPlaced AS placed FINAL
LEFT JOIN (
    SELECT customer_id, order_id, currency, sum(amount_minor) AS refunded_minor
    FROM OrderRefunded FINAL
    GROUP BY customer_id, order_id, currency
) AS refunds USING (customer_id, order_id, currency)
WHERE (placed.topic, placed.partition, placed.offset)
      NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
COMMENT 'Each order with what became of it; repeats left out.'
