CREATE OR REPLACE VIEW exchange_rates_at AS
WITH
    (SELECT tuple(currency, digits) FROM base_currency) AS base,
    toDecimal256(9223372036854775807, 0) AS largest
SELECT told.currency AS currency,
       told.of_one * toDecimal128(exp10(base.2 - if(known.currency = '', 2, known.digits)), 6) AS factor,
       toNullable(toInt64(least(largest, divideDecimal(largest, toDecimal256(factor, 18), 0)))) AS most_minor
FROM (
    WITH toDecimal128OrNull(rate, 12) AS told_rate
    SELECT currency, argMax(assumeNotNull(told_rate), (occurred_at, offset)) AS of_one
    FROM ExchangeRateSet FINAL
    WHERE base_currency = base.1 AND currency != base.1 AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND told_rate BETWEEN toDecimal128('0.000000000001', 12) AND toDecimal128(1000000000000, 12)
    GROUP BY currency
    UNION ALL
    SELECT base.1, toDecimal128(1, 12)
) AS told
LEFT JOIN currencies AS known ON known.currency = told.currency
COMMENT 'What an amount in minor units is multiplied with to be one of the base currency, and the largest that then fits 64 bits, as told up to as_of.'
