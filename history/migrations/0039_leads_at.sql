CREATE OR REPLACE VIEW leads_at AS
SELECT lead_id, customer_id, first.1 AS captured_at, first.2 AS origin, first.3 AS campaign_id, first.4 AS interest,
       first.5 AS company, first.6 AS score, first.7 AS owner_id
FROM (
    SELECT customer_id, lead_id,
           argMin((occurred_at, origin, campaign_id, interest, company, score, owner_id), (occurred_at, event_id)) AS first
    FROM LeadCaptured FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    GROUP BY customer_id, lead_id
)
COMMENT 'Each lead. Of the events up to as_of.'
