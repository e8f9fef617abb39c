CREATE OR REPLACE VIEW surveys_at AS
SELECT customer_id, occurred_at AS answered_at, survey, question, kind, score, scale_min, scale_max,
       (score - scale_min) / nullIf(scale_max - scale_min, 0) AS share, text, response_id, order_id, ticket_id, channel
FROM SurveyAnswered FINAL
WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
  AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
COMMENT 'Each answer to a question of a survey. Of the events up to as_of.'
