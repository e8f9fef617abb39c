CREATE OR REPLACE VIEW reviews_at AS
SELECT review_id, customer_id, occurred_at AS posted_at, sku, order_id, rating, rating_max,
       rating / nullIf(rating_max, 0) AS share, title, text, site
FROM ReviewPosted FINAL
WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
  AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
COMMENT 'Each review. Of the events up to as_of.'
