"""Will the customer order within 30 days?"""

from projections.scoring.target import Target, has_ordered_within, ordered

TARGET = Target(
    name="order_30d",
    meaning="orders in the next 30 days",
    horizon_days=30,
    eligible=has_ordered_within(365),
    happened=ordered,
)
