-- Which competitors do we meet, and how often do we lose to them?
-- ---
-- title = "Competitors"
-- group = "prospecting"
-- chart = { kind = "bar", x = "competitor", y = ["won_against", "lost_to"] }
-- [columns]
-- competitor = { unit = "text", means = "Name of the competitor, as it was noted." }
-- noted = { unit = "count", means = "How often a colleague noted it." }
-- customers = { unit = "customers", means = "Customers with whom it was noted, or to whose business it was lost." }
-- met = { unit = "count", means = "Opportunities in which it was noted, or that were lost to it." }
-- open = { unit = "count", means = "Of them, those that are open." }
-- open_amount = { unit = "money", means = "Their expected value." }
-- won_against = { unit = "count", means = "Those that we won." }
-- lost_to = { unit = "count", means = "Those that were lost to it, by the word of the closing." }
-- lost_otherwise = { unit = "count", means = "Those lost to somebody else, or nobody says to whom." }
-- amount_lost = { unit = "money", means = "Value of what was lost to it." }
-- win_rate = { unit = "share", means = "Won against ÷ (won against + lost to)." }
WITH
    notes AS (
        SELECT competitor, customer_id, opportunity_id
        FROM CompetitorNoted FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    ),
    chances AS (
        SELECT customer_id, opportunity_id, outcome, if(outcome = 'lost', competitor, NULL) AS lost_to, base_minor
        FROM opportunities_at(as_of = {as_of:DateTime64(3, 'UTC')})
    ),
    met AS (
        SELECT competitor, customer_id, ifNull(opportunity_id, '') AS opportunity_id, count() AS noted FROM notes GROUP BY ALL
        UNION ALL
        SELECT assumeNotNull(lost_to), customer_id, opportunity_id, 0 FROM chances WHERE lost_to IS NOT NULL
    )
SELECT met.competitor AS competitor, sum(met.noted) AS noted, uniqExact(met.customer_id) AS customers,
       countIf(chances.opportunity_id != '') AS met, countIf(chances.opportunity_id != '' AND chances.outcome IS NULL) AS open,
       sumOrNullIf(toInt128(chances.base_minor), chances.opportunity_id != '' AND chances.outcome IS NULL) AS open_amount,
       countIf(chances.opportunity_id != '' AND chances.outcome = 'won') AS won_against,
       countIf(chances.opportunity_id != '' AND chances.lost_to = met.competitor) AS lost_to,
       countIf(chances.opportunity_id != '' AND chances.outcome = 'lost') - lost_to AS lost_otherwise,
       sumOrNullIf(toInt128(chances.base_minor), chances.opportunity_id != '' AND chances.lost_to = met.competitor) AS amount_lost,
       won_against / nullIf(won_against + lost_to, 0) AS win_rate
FROM (
    SELECT competitor, customer_id, opportunity_id, sum(noted) AS noted FROM met GROUP BY competitor, customer_id, opportunity_id
) AS met
LEFT JOIN chances ON chances.customer_id = met.customer_id AND chances.opportunity_id = met.opportunity_id
GROUP BY competitor
ORDER BY lost_to DESC, met DESC, competitor
