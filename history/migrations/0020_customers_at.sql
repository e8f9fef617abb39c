CREATE OR REPLACE VIEW customers_at AS
WITH
    if({as_of:DateTime64(3, 'UTC')} = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'),
       assumeNotNull((SELECT max(occurred_at) FROM records WHERE topic = 'headwater.events')), {as_of:DateTime64(3, 'UTC')}) AS moment,
    (SELECT argMax(coalesce(rfm_window_days, 0), (occurred_at, offset))
     FROM LifecycleRulesSet FINAL WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}) AS window_days,
    if(window_days = 0, toDateTime64(0, 3, 'UTC'), moment - toIntervalDay(window_days)) AS window_from
SELECT seen.customer_id AS customer_id, seen.first_at AS first_seen_at, seen.last_at AS last_seen_at, seen.number AS events,
       nullIf(registered.kind, '') AS kind, known.traits AS traits, seen.first_source AS source, seen.first_channel AS first_channel,
       nullIf(owners.owner_id, '') AS owner_id, belongs.segments AS segments,
       if(staged.stage = '', 'prospect', staged.stage) AS stage, if(staged.stage = '', NULL, staged.since) AS stage_since,
       bought.orders AS orders, if(orders = 0, 0, bought.net_base_minor) AS net_base_minor,
       if(orders = 0, NULL, bought.first_order_at) AS first_order_at,
       if(orders = 0, NULL, bought.last_order_at) AS last_order_at,
       if(orders = 0, NULL, bought.recency_days) AS recency_days, bought.frequency AS frequency,
       if(orders = 0, 0, bought.monetary_base_minor) AS monetary_base_minor,
       if(orders = 0, NULL, toUInt8(5 - bought.fifths_sooner)) AS r,
       if(orders = 0, NULL, toUInt8(1 + bought.fifths_rarer)) AS f,
       if(orders = 0 OR bought.monetary_base_minor IS NULL, NULL, toUInt8(1 + bought.fifths_poorer)) AS m,
       scored.bands AS bands, scored.probabilities AS probabilities
FROM (
    SELECT customer_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at, count() AS number,
           argMin(source, (occurred_at, event_id)) AS first_source,
           argMin(toNullable(toString(channel)), (occurred_at, event_id)) AS first_channel
    FROM records FINAL
    WHERE topic = 'headwater.events' AND customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    GROUP BY customer_id
) AS seen
LEFT JOIN (
    SELECT customer_id, orders, net_base_minor, first_order_at, last_order_at, recency_days, frequency, monetary_base_minor,
           count() OVER () AS buyers, count(monetary_base_minor) OVER () AS payers,
           least(4, intDiv(5 * (rank() OVER (ORDER BY recency_days) - 1), buyers)) AS fifths_sooner,
           least(4, intDiv(5 * (rank() OVER (ORDER BY frequency) - 1), buyers)) AS fifths_rarer,
           least(4, intDiv(5 * (rank() OVER (ORDER BY monetary_base_minor ASC NULLS LAST) - 1), payers)) AS fifths_poorer
    FROM (
        SELECT customer_id, count() AS orders, sum(base_minor) AS net_base_minor,
               min(placed_at) AS first_order_at, max(placed_at) AS last_order_at,
               greatest(0, intDiv(toUnixTimestamp64Milli(moment) - toUnixTimestamp64Milli(last_order_at), 86400000)) AS recency_days,
               countIf(placed_at > window_from) AS frequency,
               if(frequency = 0, 0, sumIf(base_minor, placed_at > window_from)) AS monetary_base_minor
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
        GROUP BY customer_id
    )
) AS bought ON bought.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, argMax(to_stage, offset) AS stage, argMax(occurred_at, offset) AS since
    FROM transitions_at(as_of = {as_of:DateTime64(3, 'UTC')})
    GROUP BY customer_id
) AS staged ON staged.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, argMax(kind, (occurred_at, event_id)) AS kind
    FROM CustomerRegistered FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
    GROUP BY customer_id
) AS registered ON registered.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, mapFromArrays(groupArray(trait), groupArray(assumeNotNull(value))) AS traits
    FROM (
        SELECT customer_id, told.1 AS trait, argMax(tuple(told.2), (occurred_at, event_id)).1 AS value
        FROM (
            SELECT customer_id, occurred_at, event_id,
                   arrayMap((trait, value) -> (trait, toNullable(value)), mapKeys(traits), mapValues(traits)) AS tellings
            FROM CustomerRegistered FINAL
            WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
            UNION ALL
            SELECT customer_id, occurred_at, event_id,
                   arrayConcat(arrayMap((trait, value) -> (trait, toNullable(value)), mapKeys(traits), mapValues(traits)),
                               arrayMap(trait -> (trait, NULL), removed))
            FROM TraitsUpdated FINAL
            WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
        )
        ARRAY JOIN tellings AS told
        GROUP BY customer_id, trait
    )
    WHERE value IS NOT NULL
    GROUP BY customer_id
) AS known ON known.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, argMax(owner_id, (occurred_at, event_id)) AS owner_id
    FROM OwnerAssigned FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
    GROUP BY customer_id
) AS owners ON owners.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, arraySort(groupArrayIf(segment, is_in)) AS segments
    FROM (
        SELECT customer_id, segment, argMax(entered, offset) AS is_in
        FROM SegmentChanged FINAL
        WHERE topic = 'headwater.transitions' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
        GROUP BY customer_id, segment
    )
    GROUP BY customer_id
) AS belongs ON belongs.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, mapFromArrays(groupArray(target), groupArray(assumeNotNull(band))) AS bands,
           mapFromArrays(groupArrayIf(target, chance IS NOT NULL), groupArrayIf(assumeNotNull(chance), chance IS NOT NULL)) AS probabilities
    FROM (
        SELECT customer_id, target, argMax(tuple(to_band), offset).1 AS band, argMax(tuple(probability), offset).1 AS chance
        FROM scores_at(as_of = {as_of:DateTime64(3, 'UTC')})
        GROUP BY customer_id, target
    )
    WHERE band IS NOT NULL
    GROUP BY customer_id
) AS scored ON scored.customer_id = seen.customer_id
COMMENT 'Each customer as of then; RFM scores by boundaries over the customers of then. Of the events up to as_of.'
