CREATE OR REPLACE VIEW tickets_at AS
SELECT opened.ticket_id AS ticket_id, opened.customer_id AS customer_id, opened.occurred_at AS opened_at,
       opened.subject AS subject, opened.category AS category, opened.priority AS priority, opened.channel AS channel,
       opened.order_id AS order_id, opened.sku AS sku, coalesce(resolved.end.4, opened.agent_id) AS agent_id,
       opened.due_at AS due_at, resolved.replied_at AS first_reply_at,
       if(resolved.ticket_id = '', NULL, resolved.end.1) AS resolved_at, resolved.end.2 AS resolution,
       resolved.end.3 AS handling_minutes
FROM TicketOpened AS opened FINAL
LEFT JOIN (
    SELECT customer_id, ticket_id, min(first_reply_at) AS replied_at,
           argMax((occurred_at, resolution, handling_minutes, agent_id), (occurred_at, event_id)) AS end
    FROM TicketResolved FINAL
    WHERE occurred_at <= {as_of:DateTime64(3, 'UTC')}
    GROUP BY customer_id, ticket_id
) AS resolved USING (customer_id, ticket_id)
WHERE opened.occurred_at <= {as_of:DateTime64(3, 'UTC')}
COMMENT 'Each ticket with what became of it. Of the events up to as_of.'
