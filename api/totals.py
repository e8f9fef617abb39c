"""What do all customers of a partition come to? Kept as rows change, so that a summary costs nothing."""

import json
from collections import Counter
from dataclasses import dataclass, field

from api.columns import Columns, segments_of, unconverted_of


@dataclass
class Totals:
    """Sums over one partition's rows; amounts in minor units, `unconverted` by currency without a rate."""

    customers: int = 0
    orders: int = 0
    net_minor: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    segments: Counter[str] = field(default_factory=Counter)
    unconverted: Counter[str] = field(default_factory=Counter)
    events: int = 0  # of customers, repeats not counted; kept by the partition rows

    def copy(self) -> "Totals":
        return Totals(
            self.customers,
            self.orders,
            self.net_minor,
            Counter(self.stages),
            Counter(self.segments),
            Counter(self.unconverted),
        )

    def move(self, before: Columns | None, after: Columns | None) -> None:
        """One row changed: None before is a new one, None after a deleted one."""
        if before is not None:
            self._count(before, -1)
        if after is not None:
            self._count(after, 1)

    def _count(self, columns: Columns, sign: int) -> None:
        self.customers += sign
        self.orders += sign * columns.order_count
        self.net_minor += sign * columns.net_minor
        self.stages[columns.stage] += sign
        if columns.segments is not None:
            for segment in segments_of(columns):
                self.segments[segment] += sign
        if columns.unconverted is not None:
            for currency, minor in unconverted_of(columns).items():
                self.unconverted[currency] += sign * minor

    def to_json(self) -> str:
        """As text, because sums may pass 64 bits."""
        counters = (self.stages, self.segments, self.unconverted)
        return json.dumps([self.customers, self.orders, self.net_minor, *counters])

    @staticmethod
    def from_json(text: str) -> "Totals":
        customers, orders, net_minor, stages, segments, unconverted = json.loads(text)
        return Totals(customers, orders, net_minor, Counter(stages), Counter(segments), Counter(unconverted))


def together(parts: "list[Totals]") -> Totals:
    """The totals of several partitions as one."""
    whole = Totals()
    for part in parts:
        whole.customers += part.customers
        whole.orders += part.orders
        whole.net_minor += part.net_minor
        whole.stages.update(part.stages)
        whole.segments.update(part.segments)
        whole.unconverted.update(part.unconverted)
    return whole
