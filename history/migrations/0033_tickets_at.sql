CREATE OR REPLACE VIEW tickets_at AS
WITH resolved.ticket_id != '' AND resolved.end.1 >= opened.last_at AS is_resolved
SELECT opened.ticket_id AS ticket_id, opened.customer_id AS customer_id, opened.first_at AS opened_at,
       opened.last.1 AS subject, opened.last.2 AS category, opened.last.3 AS priority, opened.last.4 AS channel,
       opened.last.5 AS order_id, opened.last.6 AS sku,
       if(is_resolved, coalesce(resolved.end.4, opened.last.7), opened.last.7) AS agent_id,
       opened.last.8 AS due_at, resolved.replied_at AS first_reply_at,
       if(is_resolved, resolved.end.1, NULL) AS resolved_at, if(is_resolved, resolved.end.2, NULL) AS resolution,
       if(is_resolved, resolved.end.3, NULL) AS handling_minutes
FROM (
    SELECT customer_id, ticket_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
           argMax((subject, category, priority, channel, order_id, sku, agent_id, due_at), (occurred_at, event_id)) AS last
    FROM TicketOpened FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    GROUP BY customer_id, ticket_id
) AS opened
LEFT JOIN (
    SELECT customer_id, ticket_id, min(first_reply_at) AS replied_at,
           argMax((occurred_at, resolution, handling_minutes, agent_id), (occurred_at, event_id)) AS end
    FROM TicketResolved FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
      AND (topic, partition, offset) NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
    GROUP BY customer_id, ticket_id
) AS resolved USING (customer_id, ticket_id)
COMMENT 'Each ticket with what became of it; one opened again is open from its first opening to a resolution after the latest. Of the events up to as_of.'
