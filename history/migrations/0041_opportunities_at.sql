CREATE OR REPLACE VIEW opportunities_at AS
WITH (minor, factor, most) -> toInt64(roundBankers(if(abs(minor) <= most, minor, 0) * if(abs(minor) <= most, factor, NULL))) AS in_base
SELECT held.opportunity_id AS opportunity_id, held.customer_id AS customer_id, held.opened_at AS opened_at,
       held.opened.1 AS name, held.staged.1 AS stage, held.staged.2 AS stage_since,
       held.priced.1 AS amount_minor, held.priced.2 AS currency,
       in_base(held.priced.1, rates.factor, rates.most_minor) AS base_minor,
       held.probability AS probability, held.expected_close_on AS expected_close_on,
       held.opened.2 AS owner_id, held.opened.3 AS lead_id, held.opened.4 AS campaign_id,
       if(held.is_closed, held.ended.1, NULL) AS closed_at, if(held.is_closed, held.ended.2, NULL) AS outcome,
       held.ended.3 AS reason, held.ended.4 AS competitor, held.ended.5 AS order_id
FROM (
    SELECT customer_id, opportunity_id, minIf(at, what = 'opened') AS opened_at,
           argMinIf(opening, (at, event_id), what = 'opened') AS opened,
           argMaxIf((stage, at), (at, event_id), what != 'closed') AS staged,
           argMaxIf((amount_minor, currency), (at, event_id), amount_minor IS NOT NULL) AS priced,
           argMaxIf(tuple(chance), (at, event_id), chance IS NOT NULL).1 AS probability,
           argMaxIf(tuple(closes_on), (at, event_id), closes_on IS NOT NULL).1 AS expected_close_on,
           countIf(what = 'closed') > 0 AS is_closed, argMaxIf(closing, (at, event_id), what = 'closed') AS ended
    FROM (
        SELECT customer_id, opportunity_id, 'opened' AS what, occurred_at AS at, event_id, stage, amount_minor, currency,
               probability AS chance, expected_close_on AS closes_on, (name, owner_id, lead_id, campaign_id) AS opening,
               (occurred_at, CAST('', 'Nullable(String)'), CAST(NULL, 'Nullable(String)'), CAST(NULL, 'Nullable(String)'),
                CAST(NULL, 'Nullable(String)')) AS closing
        FROM OpportunityOpened FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT customer_id, opportunity_id, 'moved', occurred_at, event_id, to_stage, amount_minor, currency,
               probability, expected_close_on, (NULL, NULL, NULL, NULL), (occurred_at, NULL, NULL, NULL, NULL)
        FROM OpportunityStageChanged FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
        UNION ALL
        SELECT customer_id, opportunity_id, 'closed', occurred_at, event_id, '', amount_minor, currency,
               NULL, NULL, (NULL, NULL, NULL, NULL), (occurred_at, outcome, reason, competitor, order_id)
        FROM OpportunityClosed FINAL
        WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
          AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    )
    GROUP BY customer_id, opportunity_id
    HAVING countIf(what = 'opened') > 0
) AS held
LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = held.priced.2
COMMENT 'Each sales opportunity with its latest stage, value and end. Of the events up to as_of.'
