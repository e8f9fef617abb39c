CREATE OR REPLACE VIEW customer_months (
    month Date COMMENT 'First day of the month, UTC; the state is that of its end, or of now for the month that goes on.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    stage String COMMENT 'Lifecycle stage announced last by then; prospect before one was.',
    orders UInt64 COMMENT 'Orders so far, without cancelled ones.',
    net_base_minor Nullable(Int64) COMMENT 'Paid so far less refunds known now, in the base currency. Minor units.',
    orders_in_month UInt64 COMMENT 'Orders within the month.',
    net_in_month_base_minor Nullable(Int64) COMMENT 'Net of the orders of the month, in the base currency. Minor units.',
    recency_days Int64 COMMENT 'Whole days from the latest order to the end of the month, or to now.',
    r Nullable(UInt8) COMMENT 'Recency score, 1 (worst) to 5, by the boundaries in force then; null before there were any.',
    f Nullable(UInt8) COMMENT 'Frequency score by the boundaries in force then; null where they had a window.',
    m Nullable(UInt8) COMMENT 'Monetary score by the boundaries in force then; null where they had a window.'
) AS
SELECT month, customer_id, stage, orders, net_base_minor, orders_in_month, net_in_month_base_minor, recency_days, r, f, m
FROM customer_months_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each customer at the end of each month, from that of the first order on.'
