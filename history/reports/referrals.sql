-- Who recommends us, and what do those bring who come?
-- ---
-- title = "Referrals"
-- group = "promotion"
-- chart = { kind = "bar", x = "of", y = ["referred", "converted"] }
-- [parameters]
-- by = { kind = "choice", choices = ["programme", "referrer", "month"], default = "programme", means = "One row for each programme, for each customer who recommends, or for each month of the recommendation." }
-- rows = { kind = "integer", default = 100, minimum = 1, maximum = 10000, means = "The rows that are shown, most recommendations first." }
-- [columns]
-- of = { unit = "text", means = "Programme, referrer or month (where the business is); null is outside of any programme." }
-- referrers = { unit = "customers", means = "Customers who recommended us; null of a month that is not over, as is all else." }
-- referrals = { unit = "count", means = "Recommendations: what is told again of the same person, email or code by the same customer is one." }
-- referred = { unit = "customers", means = "Those of them who are known as customers; one whom several recommended counts for the first." }
-- converted = { unit = "customers", means = "Of the referred, those who have ordered since." }
-- conversion = { unit = "share", means = "Converted ÷ referrals." }
-- reward = { unit = "money", means = "What the referrers get for it, as told last of each." }
-- net = { unit = "money", means = "Net of the orders of the referred since." }
WITH
    referrals AS (
        SELECT referrer, whom, min(occurred_at) AS first_at, any(referred_id) AS referred_id,
               argMax(campaign_id, (occurred_at, event_id)) AS programme,
               argMaxIf(reward_base_minor, (occurred_at, event_id), reward_base_minor IS NOT NULL) AS reward
        FROM (
            SELECT made.customer_id AS referrer, made.occurred_at AS occurred_at, made.event_id AS event_id,
                   made.campaign_id AS campaign_id,
                   argMin(made.referred_customer_id, (made.occurred_at, made.event_id))
                       OVER (PARTITION BY made.customer_id, made.email) AS of_email,
                   coalesce(made.referred_customer_id, if(made.email IS NULL, NULL, of_email)) AS known_id,
                   ifNull(known_id, '') AS referred_id,
                   coalesce(known_id, made.email, made.referral_code, toString(made.event_id)) AS whom,
                   abs(made.reward_minor) <= rates.most_minor AS fits,
                   toInt64(roundBankers(if(fits, made.reward_minor, 0) * if(fits, rates.factor, NULL))) AS reward_base_minor
            FROM ReferralMade AS made FINAL
            LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates
                ON rates.currency = ifNull(made.currency, '')
            WHERE made.occurred_at <= {as_of:DateTime64(3, 'UTC')}
              AND (made.topic, made.partition, made.offset)
                  NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        )
        GROUP BY referrer, whom
    ),
    firsts AS (
        SELECT referred_id, argMin(referrer, (first_at, referrer)) AS referrer, min(first_at) AS since
        FROM referrals
        WHERE referred_id != ''
        GROUP BY referred_id
    ),
    bought AS (
        SELECT firsts.referred_id AS referred_id, any(firsts.referrer) AS referrer, sum(toInt128(orders.base_minor)) AS net
        FROM orders_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS orders
        JOIN firsts ON firsts.referred_id = orders.customer_id
        WHERE NOT orders.cancelled AND orders.placed_at >= firsts.since
        GROUP BY referred_id
    ),
    substring(toString(toDate32(each.first_at, {timezone:String})), 1, 7) AS month,
    substring(toString(toDate32({as_of:DateTime64(3, 'UTC')}, {timezone:String})), 1, 7) AS running,
    any({by:String} = 'month' AND month = running) AS unfinished
SELECT multiIf({by:String} = 'referrer', toNullable(each.referrer),
               {by:String} = 'month', month, each.programme) AS of,
       if(unfinished, NULL, uniqExact(each.referrer)) AS referrers, if(unfinished, NULL, count()) AS referrals,
       if(unfinished, NULL, countIf(each.referred_id != '' AND firsts.referred_id != '')) AS referred,
       if(unfinished, NULL, countIf(each.referred_id != '' AND bought.referred_id != '')) AS converted,
       converted / referrals AS conversion, if(unfinished, NULL, sum(toInt128(each.reward))) AS reward,
       if(unfinished, NULL, sumOrNullIf(bought.net, bought.referred_id != '')) AS net
FROM referrals AS each
LEFT JOIN firsts ON firsts.referred_id = each.referred_id AND firsts.referrer = each.referrer
LEFT JOIN bought ON bought.referred_id = each.referred_id AND bought.referrer = each.referrer
GROUP BY of
ORDER BY referrals DESC, of
LIMIT {rows:UInt32}
