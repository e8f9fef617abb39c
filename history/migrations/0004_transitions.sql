CREATE OR REPLACE VIEW transitions (
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When the stage changed (event time).',
    from_stage Nullable(String) COMMENT 'Stage before; null when the customer is first seen.',
    to_stage String COMMENT 'Stage from then on.',
    reason String COMMENT 'Why, in words.',
    late Bool COMMENT 'Whether an event behind stream time caused it.',
    rules_version String COMMENT 'Lifecycle rules that decided.',
    event_id UUID COMMENT 'Identity of the transition.',
    cause_topic String COMMENT 'Topic of the record whose processing announced it.',
    cause_partition Int32 COMMENT 'Partition of that record.',
    cause_offset Int64 COMMENT 'Offset of that record.',
    topic LowCardinality(String) COMMENT 'Topic of this record on the log.',
    partition Int32 COMMENT 'Partition of this record on the log.',
    offset Int64 COMMENT 'Offset of this record on the log: the order of announcement of one customer.'
) AS
SELECT customer_id, occurred_at, from_stage, to_stage, reason, late, rules_version, event_id,
       cause_topic, cause_partition, cause_offset, topic, partition, offset
FROM LifecycleChanged FINAL
WHERE topic = 'headwater.transitions'
COMMENT 'Each change of a lifecycle stage that was announced.'
