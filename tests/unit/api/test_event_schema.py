"""Does /openapi.json describe the events that the parser takes?"""

import time
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given

from api.event_schema import EXAMPLES, event_schemas
from schemas import form
from schemas.events import Event
from tests.strategies import customer_events


@cache
def validator(name: str) -> Any:
    """A validator of one component."""
    components = {"components": {"schemas": event_schemas()}}
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **components})


@given(customer_events())
def test_every_event_satisfies_its_schema(event: Event) -> None:
    """What an event looks like when shown is what the description says may be posted."""
    validator(type(event).__name__).validate(form.render(event))


@pytest.mark.parametrize(
    "fault", [{"amount": "1.00", "amount_minor": 100}, {"order_id": 7}, {"colour": "red"}, {}]
)
def test_a_faulty_event_does_not(fault: dict[str, object]) -> None:
    """Both amounts, a mistyped, an unknown and a missing field are outside the description."""
    order = {"type": "OrderPlaced", "customer_id": "a", "order_id": "1", "currency": "USD"}
    assert validator("OrderPlaced").is_valid(order | {"amount": "1.00"})
    assert not validator("OrderPlaced").is_valid(order | fault)


def test_the_examples_can_be_posted() -> None:
    """An example that does not work is worse than none."""
    now_ms = time.time_ns() // 1_000_000
    for example in EXAMPLES.values():
        documents = example["value"] if isinstance(example["value"], list) else [example["value"]]
        for document in documents:
            assert type(form.parse(document, now_ms=now_ms)).__name__ == document["type"]
