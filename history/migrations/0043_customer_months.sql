CREATE OR REPLACE VIEW customer_months (
    month Date COMMENT 'First day of the month, UTC; the state is that of its end, or of now for the month that goes on.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    stage String COMMENT 'Lifecycle stage announced last by then; prospect before one was.',
    orders UInt64 COMMENT 'Orders so far, without cancelled ones.',
    net_base_minor Nullable(Int64) COMMENT 'Paid so far less refunds known now, in the base currency. Minor units.',
    orders_in_month UInt64 COMMENT 'Orders within the month.',
    net_in_month_base_minor Nullable(Int64) COMMENT 'Net of the orders of the month, in the base currency. Minor units.',
    recency_days Int64 COMMENT 'Whole days from the latest order to the end of the month, or to now.',
    r Nullable(UInt8) COMMENT 'Recency score, 1 (worst) to 5, by the boundaries in force then; null before there were any.',
    f Nullable(UInt8) COMMENT 'Frequency score by the boundaries in force then; null where they had a window.',
    m Nullable(UInt8) COMMENT 'Monetary score by the boundaries in force then; null where they had a window.'
) AS
WITH
    (SELECT max(occurred_at) FROM records WHERE topic = 'headwater.events') AS now_known,
    (SELECT arraySort(groupArray((occurred_at, r, f, m_minor, window_days)))
     FROM (SELECT DISTINCT occurred_at, r, f, m_minor, window_days FROM RfmBoundariesSet FINAL)) AS told,
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
        FROM orders
        WHERE NOT cancelled
        GROUP BY customer_id, began
    )
    GROUP BY customer_id
) AS bought
LEFT JOIN (
    SELECT customer_id, arrayMap(move -> (move.2, move.3), arraySort(groupArray((offset, occurred_at, to_stage)))) AS moves
    FROM transitions
    GROUP BY customer_id
) AS moved USING (customer_id)
ARRAY JOIN arrayMap(n -> addMonths(months[1].1, n), range(toUInt32(dateDiff('month', months[1].1, toDate(assumeNotNull(now_known))) + 1))) AS month
COMMENT 'Each customer at the end of each month, from that of the first order on.'
