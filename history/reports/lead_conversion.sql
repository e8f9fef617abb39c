-- Which leads become opportunities, and which of those are won?
-- ---
-- title = "Lead conversion"
-- group = "prospecting"
-- chart = { kind = "bar", x = "origin", y = ["opportunity_rate", "win_rate"] }
-- [parameters]
-- since = { kind = "date", means = "Leads from this day on; all if left out." }
-- until = { kind = "date", means = "Leads up to this day; all if left out. The latest have had little time." }
-- [columns]
-- origin = { unit = "text", means = "Where the lead came from; unknown where that was not told." }
-- leads = { unit = "count", means = "Leads; one that was told twice of a customer counts once, as it was first told." }
-- opportunities = { unit = "count", means = "Leads of which an opportunity of their customer came that names them." }
-- won = { unit = "count", means = "Leads of which one was won." }
-- opportunity_rate = { unit = "share", means = "Opportunities, of the leads." }
-- win_rate = { unit = "share", means = "Won, of the opportunities." }
-- overall_rate = { unit = "share", means = "Won, of the leads." }
-- median_days_to_opportunity = { unit = "days", means = "From the lead to its first opportunity." }
-- median_days_to_win = { unit = "days", means = "From the lead to the first that was won." }
-- amount = { unit = "money", means = "What the opportunities that were won are worth." }
SELECT
    origin,
    count() AS leads,
    countIf(opened_ms IS NOT NULL) AS opportunities,
    countIf(won_ms IS NOT NULL) AS won,
    opportunities / leads AS opportunity_rate,
    won / nullIf(opportunities, 0) AS win_rate,
    won / leads AS overall_rate,
    quantileExactInclusiveOrNull(0.5)((opened_ms - captured_ms) / 86400000) AS median_days_to_opportunity,
    quantileExactInclusiveOrNull(0.5)((won_ms - captured_ms) / 86400000) AS median_days_to_win,
    sum(brought) AS amount
FROM (
    SELECT
        minOrNullIf(at, kind = 'lead') AS captured,
        toUnixTimestamp64Milli(captured) AS captured_ms,
        argMinIf(told, at, kind = 'lead') AS origin,
        minOrNullIf(toUnixTimestamp64Milli(at), kind = 'opened') AS opened_ms,
        minOrNullIf(toUnixTimestamp64Milli(at), kind = 'won') AS won_ms,
        sum(brought_minor) AS brought
    FROM (
        SELECT customer_id, lead_id, captured_at AS at, 'lead' AS kind, coalesce(origin, 'unknown') AS told, 0 AS brought_minor
        FROM leads_at(as_of = {as_of:DateTime64(3, 'UTC')})
        UNION ALL
        SELECT customer_id, assumeNotNull(lead_id), opened_at, 'opened', '', 0
        FROM opportunities_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE lead_id IS NOT NULL
        UNION ALL
        SELECT customer_id, assumeNotNull(lead_id), assumeNotNull(closed_at), 'won', '', toInt128(coalesce(base_minor, 0))
        FROM opportunities_at(as_of = {as_of:DateTime64(3, 'UTC')})
        WHERE lead_id IS NOT NULL AND outcome = 'won'
    )
    GROUP BY customer_id, lead_id
    HAVING captured IS NOT NULL
       AND ({since:Nullable(Date32)} IS NULL OR toDate32(captured, {timezone:String}) >= {since:Nullable(Date32)})
       AND ({until:Nullable(Date32)} IS NULL OR toDate32(captured, {timezone:String}) <= {until:Nullable(Date32)})
)
GROUP BY origin
ORDER BY leads DESC, origin
