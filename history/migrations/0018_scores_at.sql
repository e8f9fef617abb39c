CREATE OR REPLACE VIEW scores_at AS
SELECT customer_id, occurred_at, target, from_band, to_band, probability, model_offset, event_id, partition, offset
FROM ScoresChanged FINAL
WHERE topic = 'headwater.transitions' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
COMMENT 'Each change of a score to another band. Of the events up to as_of.'
