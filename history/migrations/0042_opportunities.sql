CREATE OR REPLACE VIEW opportunities (
    opportunity_id String COMMENT 'Opportunity, as the sales system names it.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    opened_at DateTime64(3, 'UTC') COMMENT 'When it was opened (event time).',
    name Nullable(String) COMMENT 'Its name.',
    stage String COMMENT 'Stage of the sales pipeline, the latest told.',
    stage_since DateTime64(3, 'UTC') COMMENT 'When that stage began.',
    amount_minor Nullable(Int64) COMMENT 'Value, the latest told. Minor units.',
    currency LowCardinality(Nullable(String)) COMMENT 'ISO 4217 code of the value.',
    base_minor Nullable(Int64) COMMENT 'The value in the base currency. Minor units.',
    probability Nullable(Float64) COMMENT 'Chance of winning it, the latest told, 0 to 1.',
    expected_close_on Nullable(Date32) COMMENT 'Day on which it is expected to close, the latest told.',
    owner_id Nullable(String) COMMENT 'Colleague or team that is responsible.',
    lead_id Nullable(String) COMMENT 'Lead it came from.',
    campaign_id Nullable(String) COMMENT 'Campaign that led to it.',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was closed; null while it is open.',
    outcome Nullable(String) COMMENT 'won or lost; null while it is open.',
    reason Nullable(String) COMMENT 'Why it was closed so, in words.',
    competitor Nullable(String) COMMENT 'Competitor that it went to.',
    order_id Nullable(String) COMMENT 'Order that it became.'
) AS
SELECT opportunity_id, customer_id, opened_at, name, stage, stage_since, amount_minor, currency, base_minor,
       probability, expected_close_on, owner_id, lead_id, campaign_id, closed_at, outcome, reason,
       competitor, order_id
FROM opportunities_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each sales opportunity with its latest stage, value and end.'
