CREATE OR REPLACE VIEW customer_months_at AS
WITH
    (SELECT max(occurred_at) FROM records WHERE topic = 'headwater.events' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}) AS now_known,
    (SELECT arraySort(groupArray((occurred_at, r, f, m_minor, window_days)))
     FROM (SELECT DISTINCT occurred_at, r, f, m_minor, window_days FROM RfmBoundariesSet FINAL WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')})) AS told,
    least(toDateTime64(addMonths(month, 1), 3, 'UTC'), assumeNotNull(now_known) + toIntervalMillisecond(1)) AS until,
    arrayFilter(part -> part.1 <= month, months) AS past,
    arrayLast(set -> set.1 < until, told) AS boundaries,
    arrayLast(move -> move.1 < until, moves).2 AS moved_to
SELECT month, customer_id, if(moved_to = '', 'prospect', moved_to) AS stage,
       arraySum(part -> part.2, past) AS orders, accurateCastOrNull(arrayReduce('sum', past.3), 'Int64') AS net_base_minor,
       arraySum(part -> if(part.1 = month, part.2, 0), past) AS orders_in_month,
       accurateCastOrNull(arrayReduce('sum', arrayMap(part -> if(part.1 = month, part.3, 0), past)), 'Int64') AS net_in_month_base_minor,
       intDiv(toUnixTimestamp64Milli(until) - 1 - toUnixTimestamp64Milli(past[-1].4), 86400000) AS recency_days,
       if(empty(boundaries.2), NULL, toUInt8(5 - arrayCount(limit -> limit < recency_days, boundaries.2))) AS r,
       if(empty(boundaries.2) OR boundaries.5 IS NOT NULL, NULL, toUInt8(1 + arrayCount(limit -> limit < orders, boundaries.3))) AS f,
       if(empty(boundaries.2) OR boundaries.5 IS NOT NULL OR net_base_minor IS NULL, NULL,
          toUInt8(1 + arrayCount(limit -> limit < assumeNotNull(net_base_minor), boundaries.4))) AS m
FROM (
    SELECT customer_id, arraySort(groupArray((began, number, net, last_at))) AS months
    FROM (
        SELECT customer_id, toDate(toStartOfMonth(placed_at)) AS began, count() AS number, sum(toInt128(base_minor)) AS net,
               max(placed_at) AS last_at
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE NOT cancelled
        GROUP BY customer_id, began
    )
    GROUP BY customer_id
) AS bought
LEFT JOIN (
    SELECT customer_id, arrayMap(move -> (move.2, move.3), arraySort(groupArray((offset, occurred_at, to_stage)))) AS moves
    FROM transitions_at(as_of = {as_of:DateTime64(3, 'UTC')})
    GROUP BY customer_id
) AS moved USING (customer_id)
ARRAY JOIN arrayMap(n -> addMonths(months[1].1, n), range(toUInt32(dateDiff('month', months[1].1, toDate(assumeNotNull(now_known))) + 1))) AS month
COMMENT 'Each customer at the end of each month, from that of the first order on. Of the events up to as_of.'
