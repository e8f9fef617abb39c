CREATE OR REPLACE VIEW base_currency (
    currency String COMMENT 'ISO 4217 code.',
    digits UInt8 COMMENT 'Its decimal digits.'
) AS
SELECT told.currency AS currency, if(known.currency = '', 2, known.digits) AS digits
FROM (SELECT if(count() = 0, 'USD', argMax(currency, (occurred_at, offset))) AS currency FROM BaseCurrencySet FINAL) AS told
LEFT JOIN currencies AS known ON known.currency = told.currency
COMMENT 'The currency of every amount named …_base_minor: one row.'
