"""Who did what a trigger is for? Customers who were to be told and held out, by intention to treat."""

from clickhouse_connect.driver.client import Client

from projections.triggers.uplift import Arm

GOALS = {"OrderPlaced": "SELECT customer_id, placed_at AS at FROM orders WHERE NOT cancelled"}
ANY_GOAL = """
SELECT customer_id, occurred_at AS at FROM {goal:Identifier} FINAL
WHERE topic = 'headwater.events' AND (topic, partition, offset)
  NOT IN (SELECT origin_topic, origin_partition, origin_offset FROM ProcessingFailed)
"""
MEANT = """
  SELECT trigger, customer_id, occurred_at, offset, if(verdict = 'holdout', 'holdout', 'send') AS arm
  FROM TriggerDecided FINAL
  WHERE verdict IN ('send', 'holdout', 'quiet') AND kind != 'correction' AND topic = 'headwater.decisions'
  UNION ALL
  SELECT trigger, customer_id, occurred_at, offset, 'send'
  FROM DecisionDeferred FINAL
  WHERE topic = 'headwater.decisions'
"""
ARMS = """
WITH meant AS (
  SELECT * FROM (MEANT) WHERE trigger = {trigger:String}
), first AS (
  SELECT customer_id, argMin(arm, (occurred_at, offset)) AS arm, min(occurred_at) AS decided_at
  FROM meant
  GROUP BY customer_id
  HAVING decided_at + toIntervalDay({days:Int32}) <= fromUnixTimestamp64Milli({as_of_ms:Int64}, 'UTC')
)
SELECT arm, count(), countIf(customer_id IN (
  SELECT customer_id FROM first JOIN (GOAL) AS goals USING (customer_id)
  WHERE goals.at > first.decided_at AND goals.at <= first.decided_at + toIntervalDay({days:Int32})
)) FROM first GROUP BY arm
"""


def arms(client: Client, trigger: str, goal: str, outcome_days: int, as_of_ms: int) -> tuple[Arm, Arm]:
    """Who was to be told and who was held out: at the first decision that came so far, if its window is over.

    Whoever waited for a person or for the morning counts from then on, whatever came of it: the held out did
    not wait, and nobody looked at them again.
    The goal counts within `outcome_days` after the decision; a cancelled order does not.
    """
    asked = {"trigger": trigger, "goal": goal, "days": outcome_days, "as_of_ms": as_of_ms}
    query = ARMS.replace("MEANT", MEANT).replace("GOAL", GOALS.get(goal, ANY_GOAL))
    found = {
        arm: Arm(customers, reached) for arm, customers, reached in client.query(query, asked).result_rows
    }
    return found.get("send", Arm(0, 0)), found.get("holdout", Arm(0, 0))
