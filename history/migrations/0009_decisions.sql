CREATE OR REPLACE VIEW decisions (
    decision_id UUID COMMENT 'The decision: a transition and a trigger; the webhook-id that the receiver sees.',
    customer_id String COMMENT 'Pseudonymous id of the customer.',
    trigger String COMMENT 'Name of the trigger.',
    rules_version String COMMENT 'Version of the triggers that decided.',
    kind String COMMENT 'What changed: stage, segment, score (its band); correction: an announced stage was wrong.',
    about String COMMENT 'Which segment or which target of a score; empty for the stage.',
    before Nullable(String) COMMENT 'The stage or band before; of a segment, in or out.',
    after Nullable(String) COMMENT 'The stage or band after; of a segment, in or out.',
    transition_id UUID COMMENT 'Event that told of the change.',
    transition_at DateTime64(3, 'UTC') COMMENT 'When it changed (event time).',
    decided_at DateTime64(3, 'UTC') COMMENT 'When that was decided; of what waits, since when.',
    verdict String COMMENT 'send, holdout, expired, condition_false, condition_error, no_consent, capped, quiet or declined; waiting before there is one.',
    reason String COMMENT 'Why, in words.',
    inputs Map(String, String) COMMENT 'What decided it, by name; empty of what waits.',
    waits_for Nullable(String) COMMENT 'quiet_hours or review, while it waits.',
    until_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it is decided at the latest, while it waits.',
    retracts_id Nullable(UUID) COMMENT 'The decision whose message this one takes back.',
    delivery Nullable(String) COMMENT 'Of what is sent: pending, delivered, abandoned (a check failed) or parked (no attempt is left).',
    attempts Int32 COMMENT 'How often it was sent, or that was tried.',
    delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the receiver took it.',
    abandoned_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was given up, if it is.',
    abandoned_why Nullable(String) COMMENT 'Which check failed; refused, the address may not be called; parked, no attempt is left.',
    abandoned_reason Nullable(String) COMMENT 'Why it was given up, in words.',
    partition Int32 COMMENT 'Partition of the record on the log.',
    offset Int64 COMMENT 'Offset of the record on the log: the order of one customer''s decisions.'
) AS
SELECT decision_id, customer_id, trigger, rules_version, kind, about, before, after, transition_id, transition_at,
       decided_at, verdict, reason, inputs, waits_for, until_at, retracts_id,
       if(verdict = 'send', coalesce(nullIf(state, ''), 'pending'), NULL) AS delivery,
       attempts, delivered_at, abandoned_at, abandoned_why, abandoned_reason, partition, offset
FROM (
    SELECT decision_id, customer_id, trigger, rules_version, kind, about, before, after, transition_id, transition_at,
           occurred_at AS decided_at, verdict, reason, inputs, NULL AS waits_for, NULL AS until_at, retracts_id,
           partition, offset
    FROM TriggerDecided FINAL WHERE topic = 'headwater.decisions'
    UNION ALL
    SELECT decision_id, customer_id, trigger, rules_version, kind, about, before, after, transition_id, transition_at,
           occurred_at, 'waiting', reason, map(), waits_for, until_at, NULL, partition, offset
    FROM DecisionDeferred FINAL
    WHERE topic = 'headwater.decisions'
      AND decision_id NOT IN (SELECT decision_id FROM TriggerDecided WHERE topic = 'headwater.decisions')
    ORDER BY offset DESC LIMIT 1 BY decision_id
) AS decided
LEFT JOIN deliveries USING (customer_id, decision_id)
COMMENT 'What each trigger decided of each change, once, and what became of its message.'
