CREATE OR REPLACE VIEW leads (
    lead_id String COMMENT 'Lead, as the sales system names it.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    captured_at DateTime64(3, 'UTC') COMMENT 'When it was captured first (event time).',
    origin Nullable(String) COMMENT 'Where it came from: form, fair, call, partner …',
    campaign_id Nullable(String) COMMENT 'Campaign that led to it.',
    interest Nullable(String) COMMENT 'Product or topic of interest.',
    company Nullable(String) COMMENT 'Company of the person.',
    score Nullable(Float64) COMMENT 'How promising the capturing system thinks it is.',
    owner_id Nullable(String) COMMENT 'Colleague or team that is responsible.'
) AS
SELECT lead_id, customer_id, captured_at, origin, campaign_id, interest, company, score, owner_id
FROM leads_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each lead.'
