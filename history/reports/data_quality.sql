-- How good is what each source reports: is it accurate, complete, consistent and in time?
-- ---
-- title = "Data quality per source"
-- group = "profiling"
-- chart = { kind = "bar", x = "source", y = ["accuracy", "completeness", "consistency", "timeliness"] }
-- [parameters]
-- within_hours = { kind = "integer", default = 24, minimum = 1, maximum = 87600, means = "How soon after it occurred an event is in time. Hours." }
-- [columns]
-- source = { unit = "text", means = "The system that reported the events." }
-- events = { unit = "events", means = "Events of customers, repeats and failed ones left out." }
-- accuracy = { unit = "share", means = "Of the values that have a validator, those that pass it, 0 to 1. Traits of registrations and updates, and of leads: e-mail addresses (one @, a domain with a dot, no space), phone numbers (6 to 15 digits, with an optional +), countries (a code of ISO 3166-1 or a name without digits), birthdays (a date that exists, from 1900 to the event), postcodes (3 to 10 letters and digits). Amounts of orders: above 0, or 0 by a discount, in a known currency. Scores of surveys and ratings of reviews: within their scale." }
-- values = { unit = "count", means = "Values that were checked for that." }
-- completeness = { unit = "share", means = "Of the values that could have been given, those that were, 0 to 1: the channel of each event; store, tax and lines of an order; category and cost of a line; e-mail, phone and country of a registration; e-mail and phone of a lead; category of a ticket." }
-- consistency = { unit = "share", means = "Of the orders, those that do not contradict themselves, 0 to 1: placed at all, if refunded or cancelled; always with the same amount and currency, if reported more than once; tax and shipping no more than the amount; lines less discount no more than the amount; refunds no more than the amount." }
-- orders = { unit = "orders", means = "Orders that were checked for that, of the source that reported them first." }
-- timeliness = { unit = "share", means = "Of the events, those received within so many hours of occurring, 0 to 1." }
-- delay_hours = { unit = "hours", means = "Median time from occurring to being received." }
-- failed = { unit = "events", means = "Events that could be read but not processed; the view failed has the reasons, and what could not be read." }
WITH splitByChar(' ', concat(
    'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR ',
    'BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ ',
    'EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW ',
    'GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY ',
    'KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV ',
    'MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY ',
    'QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG ',
    'TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ',
    'ZW'
)) AS country_codes,
failed_records AS (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed),
(SELECT count() FROM ProcessingFailed) = 0 AS none_failed
SELECT
    source,
    sum(n_events) AS events,
    sum(n_right) / nullIf(sum(n_checked), 0) AS accuracy,
    sum(n_checked) AS values,
    sum(n_given) / nullIf(sum(n_asked), 0) AS completeness,
    sum(n_sound) / nullIf(sum(n_orders), 0) AS consistency,
    sum(n_orders) AS orders,
    sum(n_timely) / nullIf(sum(n_events), 0) AS timeliness,
    any(median_delay) AS delay_hours,
    sum(n_failed) AS failed
FROM (
    SELECT
        toString(source) AS source,
        countIf(NOT is_failed) AS n_events,
        countIf(is_failed) AS n_failed,
        countIf(NOT is_failed AND received_at <= addHours(occurred_at, {within_hours:UInt32})) AS n_timely,
        quantileExactInclusiveOrNullIf(0.5)(dateDiff('millisecond', occurred_at, received_at) / 3600000, NOT is_failed) AS median_delay,
        n_events AS n_asked,
        countIf(NOT is_failed AND channel IS NOT NULL) AS n_given,
        0 AS n_checked, 0 AS n_right, 0 AS n_orders, 0 AS n_sound
    FROM (
        SELECT source, channel, occurred_at, received_at,
               NOT none_failed AND (topic, partition, offset) IN (SELECT * FROM failed_records) AS is_failed
        FROM records
        WHERE topic = 'headwater.events' AND customer_id != '' AND occurred_at <= {as_of:DateTime64(3, 'UTC')}
    )
    GROUP BY source
    UNION ALL
    SELECT toString(source), 0, 0, 0, NULL, 3 * count(),
           sum(hasAny(names, ['email', 'e-mail', 'e_mail', 'mail'])
               + hasAny(names, ['phone', 'mobile', 'tel', 'telephone', 'fax'])
               + hasAny(names, ['country', 'country_code'])),
           0, 0, 0, 0
    FROM (
        SELECT source, arrayMap(name -> lower(name), mapKeys(traits)) AS names
        FROM CustomerRegistered
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
    )
    GROUP BY source
    UNION ALL
    SELECT toString(source), 0, 0, 0, NULL, 2 * count(), countIf(email != '') + countIf(phone != ''), 0, 0, 0, 0
    FROM LeadCaptured
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
    GROUP BY source
    UNION ALL
    SELECT toString(source), 0, 0, 0, NULL, 0, 0, countIf(passes IS NOT NULL), countIf(passes), 0, 0
    FROM (
        SELECT source, multiIf(
            name IN ('email', 'e-mail', 'e_mail', 'mail'),
            toNullable(match(value, '^[^\\s@<>,;]+@[\\p{L}\\p{N}-]+(\\.[\\p{L}\\p{N}-]+)*\\.\\p{L}{2,}$')),
            name IN ('phone', 'mobile', 'tel', 'telephone', 'fax'),
            match(replaceRegexpAll(value, '[\\s().\\-/]', ''), '^\\+?[0-9]{6,15}$'),
            name IN ('country', 'country_code'),
            if(match(value, '^[A-Za-z]{2}$'), upper(value) IN (SELECT arrayJoin(country_codes)), match(value, '^\\p{L}[\\p{L}\\p{M} .\'’(),&-]+$')),
            name IN ('birthday', 'birth_date', 'birthdate', 'date_of_birth', 'born_on'),
            coalesce(toString(toDate32OrNull(value)) = value AND toDate32OrNull(value) <= toDate32(occurred_at), false),
            name IN ('postcode', 'postal_code', 'zip', 'zip_code', 'plz'),
            match(value, '^[A-Za-z0-9][A-Za-z0-9 -]{1,8}[A-Za-z0-9]$'),
            NULL
        ) AS passes
        FROM (
            SELECT source, occurred_at, lower(trait) AS name, value
            FROM (
                SELECT source, occurred_at, traits FROM CustomerRegistered WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
                UNION ALL
                SELECT source, occurred_at, traits FROM TraitsUpdated WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
            )
            ARRAY JOIN mapKeys(traits) AS trait, mapValues(traits) AS value
            UNION ALL
            SELECT source, occurred_at, given.1, assumeNotNull(given.2)
            FROM LeadCaptured
            ARRAY JOIN [('email', email), ('phone', phone)] AS given
            WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records)) AND given.2 IS NOT NULL
        )
    )
    GROUP BY source
    UNION ALL
    SELECT toString(source), 0, 0, 0, NULL, count(), countIf(category != ''), 0, 0, 0, 0
    FROM TicketOpened
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
    GROUP BY source
    UNION ALL
    SELECT toString(source), 0, 0, 0, NULL, 0, 0, count(), countIf(score BETWEEN scale_min AND scale_max), 0, 0
    FROM SurveyAnswered
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
    GROUP BY source
    UNION ALL
    SELECT toString(source), 0, 0, 0, NULL, 0, 0, count(), countIf(rating BETWEEN 0 AND rating_max), 0, 0
    FROM ReviewPosted
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
    GROUP BY source
    UNION ALL
    SELECT toString(source), 0, 0, 0, NULL,
           3 * count() + 2 * sum(length(lines)),
           countIf(notEmpty(lines)) + countIf(store != '') + countIf(tax_minor IS NOT NULL)
           + sum(arrayCount(line -> line != '', lines.category)) + sum(arrayCount(cost -> cost IS NOT NULL, lines.cost_minor)),
           count(),
           countIf((amount_minor > 0 OR discount_minor > 0) AND currency IN (SELECT currency FROM currencies)),
           0, 0
    FROM OrderPlaced
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
    GROUP BY source
    UNION ALL
    SELECT toString(first_source), 0, 0, 0, NULL, 0, 0, 0, 0, count(), countIf(is_placed AND NOT contradicts AND back <= amount)
    FROM (
        SELECT
            argMin(source, place) AS first_source,
            max(placed) AS is_placed,
            minIf(amount_minor, placed) AS amount,
            max(wrong) OR maxIf(amount_minor, placed) != amount OR maxIf(currency, placed) != minIf(currency, placed) AS contradicts,
            sumIf(toInt128(amount_minor), refunded) AS back
        FROM (
            SELECT customer_id, order_id, source, bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id) AS place, true AS placed, false AS refunded, amount_minor, currency,
                   toInt128(coalesce(tax_minor, 0)) + coalesce(shipping_minor, 0) > amount_minor
                   OR arraySum(line -> toInt128(line.quantity) * line.unit_price_minor, lines) - coalesce(discount_minor, 0) > amount_minor AS wrong
            FROM OrderPlaced
            WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
            UNION ALL
            SELECT customer_id, order_id, source, bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id), false, true, amount_minor, currency, false
            FROM OrderRefunded
            WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
            UNION ALL
            SELECT customer_id, order_id, source, bitShiftLeft(toUInt256(toUnixTimestamp64Milli(occurred_at)), 128) + reinterpretAsUInt128(event_id), false, false, 0, '', false
            FROM OrderCancelled
            WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND (none_failed OR (topic, partition, offset) NOT IN (SELECT * FROM failed_records))
        )
        GROUP BY customer_id, order_id
    )
    GROUP BY first_source
)
GROUP BY source
ORDER BY events DESC, source
