CREATE OR REPLACE VIEW tickets (
    ticket_id String COMMENT 'Ticket, as the help desk names it.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    opened_at DateTime64(3, 'UTC') COMMENT 'When it was opened, the first time (event time).',
    subject Nullable(String) COMMENT 'Its subject line.',
    category Nullable(String) COMMENT 'Kind of ticket: delivery, billing, defect …',
    priority String COMMENT 'How urgent it is.',
    channel LowCardinality(Nullable(String)) COMMENT 'Where the customer was.',
    order_id Nullable(String) COMMENT 'Order that it is about.',
    sku Nullable(String) COMMENT 'Product that it is about.',
    agent_id Nullable(String) COMMENT 'Colleague who handled it, or to whom it was given.',
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it is to be resolved.',
    first_reply_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the customer got the first answer.',
    resolved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was resolved last; null while it is open, or open again.',
    resolution Nullable(String) COMMENT 'How: solved, workaround, rejected, duplicate, no reply …',
    handling_minutes Nullable(Int32) COMMENT 'Work that went into it. Minutes.'
) AS
SELECT ticket_id, customer_id, opened_at, subject, category, priority, channel, order_id, sku, agent_id,
       due_at, first_reply_at, resolved_at, resolution, handling_minutes
FROM tickets_at(as_of = toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'))
COMMENT 'Each ticket with what became of it.'
