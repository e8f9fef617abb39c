CREATE OR REPLACE VIEW exchange_rates_at AS
WITH (SELECT tuple(currency, digits) FROM base_currency) AS base
SELECT told.currency AS currency,
       told.rate * toDecimal128(exp10(base.2 - if(known.currency = '', 2, known.digits)), 6) AS factor
FROM (
    SELECT currency, argMax(toDecimal128(rate, 12), (occurred_at, offset)) AS rate
    FROM ExchangeRateSet FINAL
    WHERE base_currency = base.1 AND currency != base.1 AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
    GROUP BY currency
    UNION ALL
    SELECT base.1, toDecimal128(1, 12)
) AS told
LEFT JOIN currencies AS known ON known.currency = told.currency
COMMENT 'What an amount in minor units is multiplied with to be one of the base currency, as told up to as_of.'
