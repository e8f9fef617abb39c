CREATE OR REPLACE VIEW stages (
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    stage String COMMENT 'Lifecycle stage announced last.',
    since DateTime64(3, 'UTC') COMMENT 'When it began (event time).',
    reason String COMMENT 'Why, in words.'
) AS
SELECT customer_id, argMax(to_stage, offset) AS stage, argMax(occurred_at, offset) AS since, argMax(reason, offset) AS reason
FROM transitions
GROUP BY customer_id
COMMENT 'The lifecycle stage of each customer now.'
