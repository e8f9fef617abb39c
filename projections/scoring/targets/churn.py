"""Will the customer lapse: no order for 90 days? Not the stage `churned`, which is a year of silence."""

from projections.scoring.target import Target, has_ordered_within, not_ordered

TARGET = Target(
    name="churn",
    meaning="orders nothing in the next 90 days",
    horizon_days=90,
    eligible=has_ordered_within(365),
    happened=not_ordered,
)
