-- Which cohorts lose their customers, and what did those say last before they left?
-- ---
-- title = "Churn by cohort with reason"
-- group = "persistency"
-- chart = { kind = "bar", x = "cohort", y = "churned", series = "reason_from" }
-- [parameters]
-- within_days = { kind = "integer", default = 730, minimum = 1, maximum = 36500, means = "How long before the churn a reason may have been given. Days." }
-- [columns]
-- cohort = { unit = "month", means = "Month of the first order; a cohort that has lost nobody has no row." }
-- reason_from = { unit = "text", means = "What the customer told us last before the churn: survey, ticket or opportunity (a lost one), else unknown." }
-- reason = { unit = "text", means = "Text of the survey's answer, else its kind; category of the ticket, else its subject; why the opportunity was lost, else to whom; else unknown." }
-- churned = { unit = "customers", means = "Customers of the cohort with that reason whose stage is churned; null while the month is not over." }
-- customers = { unit = "customers", means = "Customers of the cohort; so far, while its month is not over." }
-- share = { unit = "share", means = "churned of the cohort, 0 to 1; null while the month is not over." }
SELECT
    first_month AS cohort,
    ['unknown', 'survey', 'ticket', 'opportunity'][told.2 + 1] AS reason_from,
    told.3 AS reason,
    if(cohort < toStartOfMonth({as_of:DateTime64(3, 'UTC')}, {timezone:String}), count(), NULL) AS churned,
    any(size) AS customers,
    churned / customers AS share
FROM (
    SELECT
        first_month,
        count() OVER (PARTITION BY first_month) AS size,
        stage = 'churned' AS gone,
        arrayFilter(each -> each.1 <= since AND each.1 >= subtractDays(since, {within_days:UInt32}), heard) AS in_time,
        if(empty(in_time), (since, 0, 'unknown'), arrayMax(in_time)) AS told
    FROM (
        SELECT
            toStartOfMonth(minIf(at, what = 'order'), {timezone:String}) AS first_month,
            argMaxIf((at, why), offset, what = 'stage') AS latest,
            latest.1 AS since,
            latest.2 AS stage,
            groupArrayIf((at, indexOf(['survey', 'ticket', 'opportunity'], what), why), what NOT IN ('order', 'stage')) AS heard
        FROM (
            SELECT customer_id, min(placed_at) AS at, 'order' AS what, '' AS why, 0 AS offset
            FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE NOT cancelled
            GROUP BY customer_id
            UNION ALL
            SELECT customer_id, occurred_at, 'stage', to_stage, offset
            FROM transitions_at(as_of = {as_of:DateTime64(3, 'UTC')})
            UNION ALL
            SELECT customer_id, answered_at, 'survey', coalesce(nullIf(text, ''), kind), 0
            FROM surveys_at(as_of = {as_of:DateTime64(3, 'UTC')})
            UNION ALL
            SELECT customer_id, opened_at, 'ticket', coalesce(nullIf(category, ''), nullIf(subject, ''), 'unknown'), 0
            FROM tickets_at(as_of = {as_of:DateTime64(3, 'UTC')})
            UNION ALL
            SELECT customer_id, assumeNotNull(closed_at), 'opportunity',
                   coalesce(nullIf(reason, ''), nullIf(competitor, ''), 'unknown'), 0
            FROM opportunities_at(as_of = {as_of:DateTime64(3, 'UTC')})
            WHERE outcome = 'lost'
        )
        GROUP BY customer_id
        HAVING countIf(what = 'order') > 0
    )
)
WHERE gone
GROUP BY cohort, reason_from, reason
ORDER BY cohort, churned DESC, reason_from, reason
