CREATE OR REPLACE VIEW failed (
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it failed.',
    reason String COMMENT 'Why, in words.',
    customer_id String COMMENT 'Customer it was meant for; empty where that cannot be told.',
    origin_topic String COMMENT 'Topic of the record that failed.',
    origin_partition Int32 COMMENT 'Partition of the record that failed.',
    origin_offset Int64 COMMENT 'Offset of the record that failed.',
    key Nullable(String) COMMENT 'Key of the record, as it was.',
    value Nullable(String) COMMENT 'Value of the record, as it was.',
    event_id UUID COMMENT 'Identity of the failure.',
    topic LowCardinality(String) COMMENT 'Topic of this report on the log.',
    partition Int32 COMMENT 'Partition of this report on the log.',
    offset Int64 COMMENT 'Offset of this report on the log.'
) AS
SELECT occurred_at, reason, customer_id, origin_topic, origin_partition, origin_offset, key, value, event_id,
       topic, partition, offset
FROM ProcessingFailed FINAL
COMMENT 'Each record of the log that could not be processed, once, with the reason.'
