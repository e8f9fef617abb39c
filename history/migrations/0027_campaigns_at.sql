CREATE OR REPLACE VIEW campaigns_at AS
WITH (minor, factor, most) -> toInt64(roundBankers(if(abs(minor) <= most, minor, 0) * if(abs(minor) <= most, factor, NULL))) AS in_base
SELECT planned.campaign_id AS campaign_id, planned.plan.1 AS name, planned.plan.2 AS starts_on, planned.plan.3 AS ends_on,
       planned.plan.4 AS budget_minor, planned.plan.5 AS currency,
       in_base(planned.plan.4, rates.factor, rates.most_minor) AS budget_base_minor,
       planned.plan.6 AS audience, planned.plan.7 AS audience_size, planned.plan.8 AS goal, planned.plan.9 AS owner_id
FROM (
    SELECT campaign_id,
           argMax((name, starts_on, ends_on, budget_minor, currency, audience, audience_size, goal, owner_id),
                  (occurred_at, event_id)) AS plan
    FROM CampaignPlanned FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    GROUP BY campaign_id
) AS planned
LEFT JOIN exchange_rates_at(as_of = {as_of:DateTime64(3, 'UTC')}) AS rates ON rates.currency = planned.plan.5
COMMENT 'Each campaign as it was planned last. Of the events up to as_of.'
