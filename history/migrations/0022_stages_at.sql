CREATE OR REPLACE VIEW stages_at AS
SELECT customer_id, argMax(to_stage, offset) AS stage, argMax(occurred_at, offset) AS since, argMax(reason, offset) AS reason
FROM transitions_at(as_of = {as_of:DateTime64(3, 'UTC')})
GROUP BY customer_id
COMMENT 'The lifecycle stage of each customer. Of the events up to as_of.'
