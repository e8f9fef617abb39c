CREATE OR REPLACE VIEW orders (
    order_id String COMMENT 'Order, as the shop names it.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    placed_at DateTime64(3, 'UTC') COMMENT 'When it was placed (event time).',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the amounts.',
    amount_minor Int64 COMMENT 'Amount paid, after discount, with tax and shipping. Minor units.',
    refunded_minor Int64 COMMENT 'Refunded so far, in the currency of the order. Minor units.',
    cancelled Bool COMMENT 'Whether it was cancelled: it then counts for nothing.',
    net_minor Int64 COMMENT 'Amount paid less refunds, 0 if cancelled. Minor units.',
    base_minor Nullable(Int64) COMMENT 'net_minor in the base currency, rounded half to even; null where no exchange rate is known or 64 bits do not hold it. Minor units.',
    cost_base_minor Nullable(Int64) COMMENT 'What its products cost the seller, in the base currency; null where a line does not say, 0 if cancelled. Minor units.',
    discount_minor Nullable(Int64) COMMENT 'Discount, already taken off the amount. Minor units.',
    discount_base_minor Nullable(Int64) COMMENT 'The discount in the base currency. Minor units.',
    tax_minor Nullable(Int64) COMMENT 'Tax within the amount. Minor units.',
    shipping_minor Nullable(Int64) COMMENT 'Shipping within the amount. Minor units.',
    store Nullable(String) COMMENT 'Shop or branch that sold it.',
    coupon Nullable(String) COMMENT 'Coupon code that was used.',
    channel LowCardinality(Nullable(String)) COMMENT 'Where the customer was.',
    source LowCardinality(String) COMMENT 'The system that reported it.',
    event_id UUID COMMENT 'Event that placed it.'
) AS
SELECT order_id, customer_id, placed_at, currency, amount_minor, refunded_minor, cancelled, net_minor,
       base_minor, cost_base_minor, discount_minor, discount_base_minor, tax_minor, shipping_minor, store,
       coupon, channel, source, event_id
FROM orders_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each order with what became of it; repeats left out.'
