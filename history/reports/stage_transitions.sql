-- From which stage of the lifecycle to which do customers move, and after how long?
-- ---
-- title = "Stage transitions"
-- group = "prospecting"
-- chart = { kind = "heatmap", x = "to_stage", y = "from_stage", value = "share" }
-- [parameters]
-- since = { kind = "date", means = "Moves from this day on; all if left out." }
-- until = { kind = "date", means = "Moves up to this day; all if left out." }
-- [columns]
-- from_stage = { unit = "text", means = "Stage before; unseen where the customer was first seen." }
-- to_stage = { unit = "text", means = "Stage from then on." }
-- moves = { unit = "count", means = "Moves in the period that were announced." }
-- customers = { unit = "customers", means = "Customers who made them." }
-- share = { unit = "share", means = "Of the moves out of from_stage in the period." }
-- median_days = { unit = "days", means = "Half of them had been in from_stage no longer; null where it was never announced before." }
WITH ['unseen', 'prospect', 'new', 'active', 'at_risk', 'dormant', 'churned', 'won_back'] AS names
SELECT
    from_stage, to_stage,
    count() AS moves,
    uniqExact(customer_id) AS customers,
    moves / sum(moves) OVER (PARTITION BY from_stage) AS share,
    quantileExactInclusiveOrNull(0.5)((at_ms - entered_ms) / 86400000) AS median_days
FROM (
    SELECT
        customer_id, coalesce(from_stage, 'unseen') AS from_stage, to_stage, occurred_at,
        toUnixTimestamp64Milli(occurred_at) AS at_ms,
        lagInFrame(toNullable(at_ms)) OVER (
            PARTITION BY customer_id ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS entered_ms
    FROM transitions_at(as_of = {as_of:DateTime64(3, 'UTC')})
)
WHERE ({since:Nullable(Date32)} IS NULL OR toDate32(occurred_at, {timezone:String}) >= {since:Nullable(Date32)})
  AND ({until:Nullable(Date32)} IS NULL OR toDate32(occurred_at, {timezone:String}) <= {until:Nullable(Date32)})
GROUP BY from_stage, to_stage
ORDER BY indexOf(names, from_stage), indexOf(names, to_stage)
