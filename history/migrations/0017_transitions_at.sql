CREATE OR REPLACE VIEW transitions_at AS
SELECT customer_id, occurred_at, from_stage, to_stage, reason, late, rules_version, event_id, partition, offset
FROM LifecycleChanged FINAL
WHERE topic = 'headwater.transitions' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
COMMENT 'Each change of a lifecycle stage that was announced. Of the events up to as_of.'
