CREATE OR REPLACE VIEW traits (
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    trait String COMMENT 'Name of the trait.',
    value String COMMENT 'Its latest value.'
) AS
SELECT customer_id, trait, value
FROM traits_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each trait of each customer, the latest value of it.'
