CREATE OR REPLACE VIEW surveys (
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    answered_at DateTime64(3, 'UTC') COMMENT 'When it was answered (event time).',
    survey String COMMENT 'The survey, by name or id.',
    question String COMMENT 'The question, by name or id.',
    kind String COMMENT 'What it measures: nps, csat, ces or loyalty.',
    score Float64 COMMENT 'The answer, from scale_min to scale_max.',
    scale_min Int32 COMMENT 'The lowest score possible.',
    scale_max Int32 COMMENT 'The highest score possible.',
    share Nullable(Float64) COMMENT 'Where on its scale the answer is, 0 to 1.',
    text Nullable(String) COMMENT 'What the customer wrote.',
    response_id Nullable(String) COMMENT 'Groups the answers that were given in one sitting.',
    order_id Nullable(String) COMMENT 'Order that it is about.',
    ticket_id Nullable(String) COMMENT 'Ticket it belongs to.',
    channel LowCardinality(Nullable(String)) COMMENT 'Where the customer was.'
) AS
SELECT customer_id, answered_at, survey, question, kind, score, scale_min, scale_max, share, text,
       response_id, order_id, ticket_id, channel
FROM surveys_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each answer to a question of a survey.'
