CREATE TABLE IF NOT EXISTS records (
    topic LowCardinality(String) COMMENT 'Topic of the record on the log.',
    partition Int32 COMMENT 'Partition of the record on the log.',
    offset Int64 COMMENT 'Offset of the record on the log.',
    event_id UUID COMMENT 'Identity of the event.',
    customer_id String COMMENT 'Pseudonymous id of the customer; empty for an event of no customer.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened (event time).',
    received_at DateTime64(3, 'UTC') COMMENT 'When Headwater took it in.',
    source LowCardinality(String) COMMENT 'The system that reported it.',
    channel LowCardinality(Nullable(String)) COMMENT 'Where the customer was: web, app, store, email …'
)
ENGINE = Merge('{database}', '^[A-Z]')
COMMENT 'What all event tables have in common, of every topic; _table names the type.'
