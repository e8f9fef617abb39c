CREATE OR REPLACE VIEW traits_at AS
SELECT customer_id, told.1 AS trait, assumeNotNull(argMax(tuple(told.2), (occurred_at, event_id)).1) AS value
FROM (
    SELECT customer_id, occurred_at, event_id,
           arrayMap((trait, value) -> (trait, toNullable(value)), mapKeys(traits), mapValues(traits)) AS tellings
    FROM CustomerRegistered FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    UNION ALL
    SELECT customer_id, occurred_at, event_id,
           arrayConcat(arrayMap((trait, value) -> (trait, toNullable(value)), mapKeys(traits), mapValues(traits)),
                       arrayMap(trait -> (trait, NULL), removed))
    FROM TraitsUpdated FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
)
ARRAY JOIN tellings AS told
GROUP BY customer_id, trait
HAVING argMax(tuple(told.2), (occurred_at, event_id)).1 IS NOT NULL
COMMENT 'Each trait of each customer, the latest value of it. Of the events up to as_of.'
