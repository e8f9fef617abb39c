-- How many events of each type are there, from when to when?
-- ---
-- title = "Data volume"
-- group = "profiling"
-- chart = { kind = "bar", x = "type", y = "events" }
-- [columns]
-- type = { unit = "text", means = "Event type; the table of that name has all its fields." }
-- events = { unit = "events", means = "Events of that type, repeats left out." }
-- customers = { unit = "customers", means = "Customers with such an event." }
-- first_at = { unit = "time", means = "When the first one happened." }
-- last_at = { unit = "time", means = "When the last one happened." }
SELECT type,
       count() AS events,
       uniqExact(customer_id) AS customers,
       min(occurred_at) AS first_at,
       max(occurred_at) AS last_at
FROM events
WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')} AND customer_id != ''
GROUP BY type
ORDER BY events DESC, type
