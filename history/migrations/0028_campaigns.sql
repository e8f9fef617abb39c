CREATE OR REPLACE VIEW campaigns (
    campaign_id String COMMENT 'Campaign.',
    name String COMMENT 'Its name, as planned last.',
    starts_on Date32 COMMENT 'First day.',
    ends_on Nullable(Date32) COMMENT 'Last day.',
    budget_minor Nullable(Int64) COMMENT 'What it may cost. Minor units.',
    currency LowCardinality(Nullable(String)) COMMENT 'ISO 4217 code of the budget.',
    budget_base_minor Nullable(Int64) COMMENT 'The budget in the base currency. Minor units.',
    audience Nullable(String) COMMENT 'Whom it is for.',
    audience_size Nullable(Int64) COMMENT 'How many customers it is for.',
    goal Nullable(String) COMMENT 'What it is to reach, in words.',
    owner_id Nullable(String) COMMENT 'Colleague or team that is responsible.'
) AS
SELECT campaign_id, name, starts_on, ends_on, budget_minor, currency, budget_base_minor, audience,
       audience_size, goal, owner_id
FROM campaigns_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each campaign as it was planned last.'
