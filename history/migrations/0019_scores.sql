CREATE OR REPLACE VIEW scores (
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the score moved to another band (event time).',
    target String COMMENT 'What is predicted: churn, order_30d, order_7d, redeem, value …',
    from_band Nullable(String) COMMENT 'Band before; null where there was none.',
    to_band Nullable(String) COMMENT 'Band from then on; null where there is no score any more.',
    probability Nullable(Float64) COMMENT 'The score then.',
    model_offset Nullable(Int64) COMMENT 'Offset in headwater.models of the snapshot that scored.',
    event_id UUID COMMENT 'Identity of the change.',
    partition Int32 COMMENT 'Partition of the record on the log.',
    offset Int64 COMMENT 'Offset of the record on the log: the order of one customer''s changes.'
) AS
SELECT customer_id, occurred_at, target, from_band, to_band, probability, model_offset, event_id, partition,
       offset
FROM scores_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each change of a score to another band.'
