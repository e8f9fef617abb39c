CREATE OR REPLACE VIEW customers_at AS
SELECT seen.customer_id AS customer_id, seen.first.1 AS first_seen_at, seen.last_at AS last_seen_at, seen.number AS events,
       nullIf(registered.kind, '') AS kind, known.traits AS traits, seen.first.3 AS source, toString(seen.first.4) AS first_channel,
       nullIf(owners.owner_id, '') AS owner_id, belongs.segments AS segments,
       if(staged.stage = '', 'prospect', staged.stage) AS stage, if(staged.stage = '', NULL, staged.since) AS stage_since,
       bought.orders AS orders, if(orders = 0, 0, bought.net_base_minor) AS net_base_minor,
       if(orders = 0, NULL, bought.first_order_at) AS first_order_at,
       if(orders = 0, NULL, bought.last_order_at) AS last_order_at,
       if(orders = 0, NULL, bought.recency_days) AS recency_days, bought.frequency AS frequency,
       if(orders = 0, 0, bought.monetary_base_minor) AS monetary_base_minor,
       if(orders = 0, NULL, bought.r) AS r, if(orders = 0, NULL, bought.f) AS f, if(orders = 0, NULL, bought.m) AS m,
       scored.bands AS bands, scored.probabilities AS probabilities
FROM (
    SELECT customer_id, min((occurred_at, event_id, source, channel)) AS first, max(occurred_at) AS last_at, count() AS number
    FROM records FINAL
    WHERE topic = 'headwater.events' AND customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    GROUP BY customer_id
) AS seen
LEFT JOIN buyers_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS bought ON bought.customer_id = seen.customer_id
LEFT JOIN stages_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS staged ON staged.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, argMax(kind, (occurred_at, event_id)) AS kind
    FROM CustomerRegistered FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    GROUP BY customer_id
) AS registered ON registered.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, mapFromArrays(groupArray(trait), groupArray(value)) AS traits
    FROM traits_at(as_of = {as_of:DateTime64(3, 'UTC')})
    GROUP BY customer_id
) AS known ON known.customer_id = seen.customer_id
LEFT JOIN (
    SELECT customer_id, argMax(owner_id, (occurred_at, event_id)) AS owner_id
    FROM OwnerAssigned FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
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
COMMENT 'Each customer as of then; buyers, stages and traits alone are less to read. Of the events up to as_of.'
