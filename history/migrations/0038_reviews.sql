CREATE OR REPLACE VIEW reviews (
    review_id String COMMENT 'Review, as its site names it.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    posted_at DateTime64(3, 'UTC') COMMENT 'When it was posted (event time).',
    sku Nullable(String) COMMENT 'Product reviewed; null is the shop.',
    order_id Nullable(String) COMMENT 'Order that it is about.',
    rating Float64 COMMENT 'Stars, 0 to rating_max.',
    rating_max Int32 COMMENT 'The most stars possible.',
    share Nullable(Float64) COMMENT 'rating ÷ rating_max, 0 to 1.',
    title Nullable(String) COMMENT 'Headline of the review.',
    text Nullable(String) COMMENT 'What the customer wrote.',
    site Nullable(String) COMMENT 'Where: own shop, marketplace, map …'
) AS
SELECT review_id, customer_id, posted_at, sku, order_id, rating, rating_max, share, title, text, site
FROM reviews_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each review.'
