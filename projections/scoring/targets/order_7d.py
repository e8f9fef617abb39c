"""Will the customer order within 7 days?"""

from projections.scoring.target import Target, has_ordered_within, ordered

TARGET = Target(
    name="order_7d",
    meaning="orders in the next 7 days",
    horizon_days=7,
    eligible=has_ordered_within(365),
    happened=ordered,
)
