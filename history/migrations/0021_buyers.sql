CREATE OR REPLACE VIEW buyers (
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    orders UInt64 COMMENT 'Orders, without cancelled ones.',
    net_base_minor Nullable(Int64) COMMENT 'Paid less refunds, in the base currency; null where nothing can be converted. Minor units.',
    first_order_at DateTime64(3, 'UTC') COMMENT 'First order.',
    last_order_at DateTime64(3, 'UTC') COMMENT 'Latest order.',
    recency_days Int64 COMMENT 'Whole days since the latest order.',
    frequency UInt64 COMMENT 'Orders within the RFM window (by default all).',
    monetary_base_minor Nullable(Int64) COMMENT 'Net of the orders within the RFM window, in the base currency. Minor units.',
    r UInt8 COMMENT 'Recency score, 1 (worst) to 5, among the buyers of then.',
    f UInt8 COMMENT 'Frequency score, 1 to 5.',
    m Nullable(UInt8) COMMENT 'Monetary score, 1 to 5; null where nothing can be converted.'
) AS
SELECT customer_id, orders, net_base_minor, first_order_at, last_order_at, recency_days, frequency,
       monetary_base_minor, r, f, m
FROM buyers_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each customer with an order, as of then; RFM scores by the 20, 40, 60 and 80 percentiles (inverted CDF) over them.'
