-- How many customers ever reached each stage of the lifecycle, and how many are there now?
-- ---
-- title = "Lifecycle funnel"
-- group = "prospecting"
-- chart = { kind = "funnel", x = "stage", y = "reached" }
-- [columns]
-- stage = { unit = "text", means = "Lifecycle stage, as it was announced." }
-- reached = { unit = "customers", means = "Customers who ever were in it." }
-- share = { unit = "share", means = "Of all customers of whom a stage was told." }
-- now = { unit = "customers", means = "Customers who are in it." }
-- share_now = { unit = "share", means = "Of all customers of whom a stage was told." }
-- median_days = { unit = "days", means = "From the first stage that was told of a customer until they first were in this one; median of who reached it." }
WITH ['prospect', 'new', 'active', 'at_risk', 'dormant', 'churned', 'won_back'] AS names
SELECT
    name AS stage,
    sumIf(customers, found) AS reached,
    reached / nullIf(any(told), 0) AS share,
    sumIf(here, found) AS now,
    now / nullIf(any(told), 0) AS share_now,
    anyIf(median, found) AS median_days
FROM (
    SELECT
        to_stage, count() AS customers, countIf(is_latest) AS here, toNullable(quantileExactInclusive(0.5)(after_days)) AS median,
        sum(here) OVER () AS told
    FROM (
        SELECT
            to_stage,
            last_offset = max(last_offset) OVER (PARTITION BY customer_id) AS is_latest,
            (reached_ms - min(reached_ms) OVER (PARTITION BY customer_id)) / 86400000 AS after_days
        FROM (
            SELECT customer_id, to_stage, max(offset) AS last_offset, min(toUnixTimestamp64Milli(occurred_at)) AS reached_ms
            FROM transitions_at(as_of = {as_of:DateTime64(3, 'UTC')})
            GROUP BY customer_id, to_stage
        )
    )
    GROUP BY to_stage
) AS stages
ARRAY JOIN names AS name, arrayMap(each -> each = to_stage, names) AS found
GROUP BY name
ORDER BY indexOf(names, name)
