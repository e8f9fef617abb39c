"""What do all contestants do with an event? Fold it: onto a whole customer row, or onto three fields."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from projections import customer as customers
from projections import orders
from projections.parameters import Parameters
from schemas.events import CustomerEvent, Event, LifecycleChanged, OrderPlaced
from streams.outputs import output_id
from streams.rows import ID_BYTES, SEEN_IDS, CustomerRow, decode_row, encode_row, has_seen
from streams.topics import EVENTS

What = Literal["whole", "three"]
PARAMETERS = Parameters()


class Three(msgspec.Struct, array_like=True, frozen=True):
    """The state of the three-field fold."""

    count: int = 0
    spend_minor: int = 0
    last_at: int = 0

    def evolve(self, event: Event) -> "Three":
        if not isinstance(event, OrderPlaced):
            return self
        return Three(
            self.count + 1, self.spend_minor + event.amount_minor, max(self.last_at, event.occurred_at)
        )


encode_three = msgspec.msgpack.Encoder().encode
decode_three = msgspec.msgpack.Decoder(Three).decode


def three(state: Three | None, event: CustomerEvent, offset: int) -> tuple[Three, None]:  # noqa: ARG001
    """The three-field fold of one event, in the form of `whole`."""
    return (Three() if state is None else state).evolve(event), None


def whole(row: CustomerRow | None, event: CustomerEvent, offset: int) -> tuple[CustomerRow, Any]:
    """The whole customer fold of one event: the new row, and the transition if there is one."""
    event_id = bytes.fromhex(event.event_id.replace("-", ""))
    if row is None:
        row = CustomerRow(customers.FOLD_VERSION, offset, b"", None, 0, "", None, customers.Packed())
    elif has_seen(row, event_id):
        return row, None
    state = customers.evolve_packed(row.state, event)
    seen = (row.seen + event_id)[-SEEN_IDS * ID_BYTES :]
    stage, since, reason, due, changed = row.stage, row.stage_since_ms, row.reason, row.next_due_ms, None
    if stage is None or type(event) in orders.HANDLES:
        view = customers.lifecycle_of(state, event.occurred_at, PARAMETERS)
        reason, due = view.reason, view.next_change_at
        if view.stage != stage:
            changed = LifecycleChanged(
                event_id=output_id(EVENTS, 0, offset, event.customer_id, "lifecycle"),
                occurred_at=event.occurred_at,
                received_at=event.received_at,
                customer_id=event.customer_id,
                from_stage=stage,
                to_stage=view.stage,
                reason=reason,
                late=False,
                rules_version="default",
                cause_topic=EVENTS,
                cause_partition=0,
                cause_offset=offset,
            )
            stage, since = view.stage, event.occurred_at
    return CustomerRow(row.fold_version, offset, seen, stage, since, reason, due, state), changed


def _spent_whole(row: CustomerRow) -> int:
    placed = orders.SUMS.items(customers.unpack(row.state).orders.sums)
    return sum(amounts[0] for _, amounts in placed)


class Fold(NamedTuple):
    """A fold with the codec of its state; `spent` is what the state says was spent, in minor units."""

    step: Callable[[Any, CustomerEvent, int], tuple[Any, LifecycleChanged | None]]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    spent: Callable[[Any], int]


FOLDS: dict[str, Fold] = {
    "whole": Fold(whole, encode_row, decode_row, _spent_whole),
    "three": Fold(three, encode_three, decode_three, lambda state: state.spend_minor),
}
