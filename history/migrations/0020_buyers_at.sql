CREATE OR REPLACE VIEW buyers_at AS
WITH
    if({as_of:DateTime64(3, 'UTC')} = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'),
       assumeNotNull((SELECT max(occurred_at) FROM records WHERE topic = 'headwater.events')), {as_of:DateTime64(3, 'UTC')}) AS moment,
    (SELECT argMax(coalesce(rfm_window_days, 0), (occurred_at, offset))
     FROM LifecycleRulesSet FINAL WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}) AS window_days,
    if(window_days = 0, toDateTime64(0, 3, 'UTC'), moment - toIntervalDay(window_days)) AS window_from
SELECT customer_id, orders, net_base_minor, first_order_at, last_order_at, recency_days, frequency, monetary_base_minor,
       toUInt8(5 - least(4, intDiv(5 * (rank() OVER (ORDER BY recency_days) - 1), count() OVER ()))) AS r,
       toUInt8(1 + least(4, intDiv(5 * (rank() OVER (ORDER BY frequency) - 1), count() OVER ()))) AS f,
       if(monetary_base_minor IS NULL, NULL,
          toUInt8(1 + least(4, intDiv(5 * (rank() OVER (ORDER BY monetary_base_minor ASC NULLS LAST) - 1),
                                      count(monetary_base_minor) OVER ())))) AS m
FROM (
    SELECT customer_id, count() AS orders, accurateCastOrNull(sum(toInt128(base_minor)), 'Int64') AS net_base_minor,
           min(placed_at) AS first_order_at, max(placed_at) AS last_order_at,
           greatest(0, intDiv(toUnixTimestamp64Milli(moment) - toUnixTimestamp64Milli(last_order_at), 86400000)) AS recency_days,
           countIf(placed_at > window_from) AS frequency,
           if(frequency = 0, 0, accurateCastOrNull(sumIf(toInt128(base_minor), placed_at > window_from), 'Int64')) AS monetary_base_minor
    FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
    WHERE NOT cancelled
    GROUP BY customer_id
)
COMMENT 'Each customer with an order, as of then; RFM scores by the 20, 40, 60 and 80 percentiles (inverted CDF) over them. Of the events up to as_of.'
