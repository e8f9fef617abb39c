-- What is in the sales pipeline, stage by stage, and how long has it been there?
-- ---
-- title = "Pipeline"
-- group = "prospecting"
-- chart = { kind = "bar", x = "stage", y = ["amount", "weighted"] }
-- [parameters]
-- owner = { kind = "text", means = "Opportunities of this owner; all if left out." }
-- [columns]
-- stage = { unit = "text", means = "Stage of the sales pipeline." }
-- opportunities = { unit = "count", means = "Opportunities that are open." }
-- amount = { unit = "money", means = "What they are expected to bring; those without an amount or an exchange rate add nothing." }
-- weighted = { unit = "money", means = "The same times the chance of winning each; those without a chance add nothing." }
-- unweighted = { unit = "count", means = "Opportunities that are not in weighted." }
-- median_days = { unit = "days", means = "Half have been open no longer." }
-- p90_days = { unit = "days", means = "Nine in ten have been open no longer." }
-- median_days_in_stage = { unit = "days", means = "Half have been in this stage no longer." }
-- overdue = { unit = "count", means = "Opportunities whose expected day has passed." }
-- overdue_amount = { unit = "money", means = "What these are expected to bring." }
WITH
    toUnixTimestamp64Milli({as_of:DateTime64(3, 'UTC')}) AS now_ms,
    expected_close_on < toDate32({as_of:DateTime64(3, 'UTC')}, {timezone:String}) AS is_overdue,
    (now_ms - toUnixTimestamp64Milli(opened_at)) / 86400000 AS open_days
SELECT
    stage,
    count() AS opportunities,
    sum(toInt128(coalesce(base_minor, 0))) AS amount,
    toInt128(sum(round(coalesce(base_minor * probability, 0)))) AS weighted,
    countIf(base_minor * probability IS NULL) AS unweighted,
    quantileExactInclusive(0.5)(open_days) AS median_days,
    quantileExactInclusive(0.9)(open_days) AS p90_days,
    quantileExactInclusive(0.5)((now_ms - toUnixTimestamp64Milli(stage_since)) / 86400000) AS median_days_in_stage,
    countIf(is_overdue) AS overdue,
    sumIf(toInt128(coalesce(base_minor, 0)), is_overdue) AS overdue_amount
FROM opportunities_at(as_of = {as_of:DateTime64(3, 'UTC')})
WHERE closed_at IS NULL AND ({owner:Nullable(String)} IS NULL OR owner_id = {owner:Nullable(String)})
GROUP BY stage
ORDER BY amount DESC, stage
