CREATE OR REPLACE VIEW events (
    type LowCardinality(String) COMMENT 'Event type; the table of that name has all its fields.',
    event_id UUID COMMENT 'Identity of the event; each is here once.',
    customer_id String COMMENT 'Pseudonymous id of the customer; empty for an event of no customer.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened (event time).',
    received_at DateTime64(3, 'UTC') COMMENT 'When Headwater took it in.',
    source LowCardinality(String) COMMENT 'The system that reported it.',
    channel LowCardinality(Nullable(String)) COMMENT 'Where the customer was: web, app, store, email …',
    topic LowCardinality(String) COMMENT 'Topic of the record on the log.',
    partition Int32 COMMENT 'Partition of the record on the log.',
    offset Int64 COMMENT 'Offset of the record on the log.'
) AS
SELECT _table AS type, event_id, customer_id, occurred_at, received_at, source, channel, topic, partition, offset
FROM records FINAL
WHERE topic = 'headwater.events'
  AND ((SELECT count() FROM ProcessingFailed) = 0 OR (topic, partition, offset) NOT IN (
        SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed))
COMMENT 'What happened: every event of the log that could be processed, repeats left out.'
