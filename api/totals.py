"""What do all customers of a partition come to? Kept as rows change, so that a summary costs nothing."""

import json
from collections import Counter
from dataclasses import dataclass, field

from api.columns import Columns, unconverted_of


@dataclass
class Totals:
    """Sums over one partition's rows; amounts in minor units, `unconverted` by currency without a rate."""

    customers: int = 0
    orders: int = 0
    net_minor: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    unconverted: Counter[str] = field(default_factory=Counter)
    events: int = 0  # of customers, repeats not counted; kept by the partition rows

    def copy(self) -> "Totals":
        return Totals(
            self.customers, self.orders, self.net_minor, Counter(self.stages), Counter(self.unconverted)
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
        if columns.unconverted is not None:
            for currency, minor in unconverted_of(columns).items():
                self.unconverted[currency] += sign * minor

    def to_json(self) -> str:
        """As text, because sums may pass 64 bits."""
        return json.dumps([self.customers, self.orders, self.net_minor, self.stages, self.unconverted])

    @staticmethod
    def from_json(text: str) -> "Totals":
        customers, orders, net_minor, stages, unconverted = json.loads(text)
        return Totals(customers, orders, net_minor, Counter(stages), Counter(unconverted))


def together(parts: "list[Totals]") -> Totals:
    """The totals of several partitions as one."""
    whole = Totals()
    for part in parts:
        whole.customers += part.customers
        whole.orders += part.orders
        whole.net_minor += part.net_minor
        whole.stages.update(part.stages)
        whole.unconverted.update(part.unconverted)
    return whole
