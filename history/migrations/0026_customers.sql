CREATE OR REPLACE VIEW customers (
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    first_seen_at DateTime64(3, 'UTC') COMMENT 'First event of the customer.',
    last_seen_at DateTime64(3, 'UTC') COMMENT 'Latest event of the customer.',
    events UInt64 COMMENT 'Events of the customer.',
    kind Nullable(String) COMMENT 'person, organisation …, as registered last; null before a registration.',
    traits Map(String, String) COMMENT 'What is known of the customer; of each trait the latest value.',
    source LowCardinality(String) COMMENT 'The system that reported the first event.',
    first_channel Nullable(String) COMMENT 'Where the customer was at the first event.',
    owner_id Nullable(String) COMMENT 'Colleague who is responsible.',
    segments Array(String) COMMENT 'Segments that the customer is in.',
    stage String COMMENT 'Lifecycle stage announced last; prospect before one was.',
    stage_since Nullable(DateTime64(3, 'UTC')) COMMENT 'When that began.',
    orders UInt64 COMMENT 'Orders, without cancelled ones.',
    net_base_minor Nullable(Int64) COMMENT 'Paid less refunds, in the base currency; null where nothing can be converted. Minor units.',
    first_order_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First order; null before an order.',
    last_order_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest order; null before an order.',
    recency_days Nullable(Int64) COMMENT 'Whole days since the latest order; null before an order.',
    frequency UInt64 COMMENT 'Orders within the RFM window (by default all).',
    monetary_base_minor Nullable(Int64) COMMENT 'Net of the orders within the RFM window, in the base currency. Minor units.',
    r Nullable(UInt8) COMMENT 'Recency score, 1 (worst) to 5, among the buyers of then; null before an order.',
    f Nullable(UInt8) COMMENT 'Frequency score, 1 to 5; null before an order.',
    m Nullable(UInt8) COMMENT 'Monetary score, 1 to 5; null where nothing can be converted.',
    bands Map(String, String) COMMENT 'Target of a score -> band told last.',
    probabilities Map(String, Float64) COMMENT 'Target of a score -> probability when that band was told.'
) AS
SELECT customer_id, first_seen_at, last_seen_at, events, kind, traits, source, first_channel, owner_id,
       segments, stage, stage_since, orders, net_base_minor, first_order_at, last_order_at, recency_days,
       frequency, monetary_base_minor, r, f, m, bands, probabilities
FROM customers_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each customer as of then; buyers, stages and traits alone are less to read.'
