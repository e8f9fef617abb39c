CREATE OR REPLACE VIEW order_lines (
    order_id String COMMENT 'Order, as the shop names it.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    placed_at DateTime64(3, 'UTC') COMMENT 'When it was placed (event time).',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of the prices.',
    cancelled Bool COMMENT 'Whether the order was cancelled: it then counts for nothing.',
    line UInt32 COMMENT 'Number of the line in its order, from 1.',
    sku String COMMENT 'Product (stock keeping unit).',
    category Nullable(String) COMMENT 'Product category.',
    quantity Int32 COMMENT 'How many units.',
    unit_price_minor Int64 COMMENT 'Price of one unit. Minor units.',
    cost_minor Nullable(Int64) COMMENT 'What one unit cost the seller. Minor units.',
    value_base_minor Nullable(Int64) COMMENT 'quantity × unit price in the base currency, before discounts of the order, not less refunds; lines need not add up to the amount. Minor units.',
    cost_base_minor Nullable(Int64) COMMENT 'quantity × cost in the base currency. Minor units.',
    store Nullable(String) COMMENT 'Shop or branch that sold it.',
    channel LowCardinality(Nullable(String)) COMMENT 'Where the customer was.'
) AS
SELECT order_id, customer_id, placed_at, currency, cancelled, line, sku, category, quantity,
       unit_price_minor, cost_minor, value_base_minor, cost_base_minor, store, channel
FROM order_lines_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each product of each order; repeats left out.'
