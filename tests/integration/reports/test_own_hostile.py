"""Does a hostile form get anything but rows of the allowed views? Its texts are values, or it is refused."""

import asyncio
import os
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.guard import QueryRefused
from history.own import BadForm
from history.report_values import BadParameter
from history.store import History
from schemas.events import CustomerRegistered, CustomEvent, Event, OrderPlaced
from tests.hostile import HOSTILE, OUTFILE
from tests.own import answer, stamp
from tests.reporting import history_of

TEXTS = [
    *(
        "'",
        "''",
        '"',
        "`",
        "\\",
        "\\'",
        "\\\\",
        "\\N",
        "\x00",
        "a\x00b",
        "\t",
        "\n",
        "\r\n",
        "\b",
        "%",
        "_",
        "%s",
        "%(p1)s",
    ),
    *(
        "{x:String}",
        "{p1:String}",
        "{as_of:DateTime64(3)}",
        "{",
        "}",
        "$1",
        "--",
        "-- x",
        "/* x */",
        "#",
        ";",
    ),
    *("' OR 1=1 --", "'); DROP TABLE OrderPlaced; --", "x' UNION ALL SELECT * FROM system.tables --"),
    *(
        "file('/etc/passwd')",
        "NULL",
        "null",
        "ᴺᵁᴸᴸ",
        "true",
        "0",
        "[]",
        "['a']",
        "😀",
        "👩‍👩‍👧",
        "王",
        "\u202e",
        "\u2028",
        "\ufeff",
        "ÿ",
    ),
    *(" ", "  x  ", "others", "="),
]
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.one_of(
    st.sampled_from(TEXTS),
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.sampled_from(HOSTILE).filter(bool).map(lambda text: text[:100]),
)


def written() -> list[Event]:
    """Each text once as a shop, as a trait's value, and as the name of a property."""
    events: list[Event] = []
    for number, text in enumerate(TEXTS):
        customer = f"c-{number}"
        order = {"order_id": str(uuid.uuid4()), "amount_minor": 1, "currency": "USD", "store": text}
        events += [
            CustomerRegistered(customer_id=customer, traits={"text": text}, **stamp()),
            OrderPlaced(customer_id=customer, **order, **stamp()),
            CustomEvent(customer_id=customer, name="x", properties={text: text}, **stamp()),
        ]
    return events


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Customers, orders and custom events that are full of hostile texts."""
    return asyncio.run(history_of(tmp_path_factory.mktemp("hostile"), written()))


async def count(history: History, **form: Any) -> int:
    return int((await answer(history, {"measures": [{"measure": "count"}], **form}))["count"].sum())


TESTS: dict[str, Any] = {
    "=": lambda text, value: text == value,
    "!=": lambda text, value: text != value,
    "contains": lambda text, value: value in text,
    "starts_with": lambda text, value: text.startswith(value),
    "<": lambda text, value: text.encode() < value.encode(),
    ">=": lambda text, value: text.encode() >= value.encode(),
}


@FEW
@given(value=TEXT, op=st.sampled_from(sorted(TESTS)))
async def test_a_value_is_compared_and_nothing_else(history: History, value: str, op: str) -> None:
    """As many rows are let through as Python counts, of a column, of a customer's trait, and of a list."""
    wanted = sum(TESTS[op](text, value) for text in TEXTS)
    for field in ("store", "customers.traits.text"):
        filters = [{"field": field, "op": op, "value": value}]
        assert await count(history, **{"from": "orders"}, filters=filters) == wanted
    among = [{"field": "store", "op": "in", "values": [value, "no shop"]}]
    assert await count(history, **{"from": "orders"}, filters=among) == TEXTS.count(value)


@FEW
@given(name=TEXT)
async def test_the_name_of_a_property_is_looked_up_and_nothing_else(history: History, name: str) -> None:
    """A property that nobody wrote is null; one that was has the value it was written with."""
    found = await answer(
        history, {"from": "CustomEvent", "dimensions": [{"field": f"properties.{name}", "name": "p"}]}
    )
    values = {name: 1} if name in TEXTS else {}
    assert {value: n for value, n in found.values if isinstance(value, str)} == values
    assert found["count"].sum() == len(TEXTS)


@FEW
@given(text=TEXT)
async def test_a_title_of_a_column_and_a_pivot_of_anything(history: History, text: str) -> None:
    """Names that the form gives are names in the answer; what cannot be one is refused."""
    asked = {
        "from": "orders",
        "measures": [{"measure": "count", "name": text}],
        "dimensions": [{"field": "currency"}, {"field": "store"}],
    }
    try:
        found = await answer(history, asked)
    except BadForm as error:
        assert "name" in error.field or "Two columns" in str(error)  # noqa: PT017
        return
    assert found.columns.tolist() == ["currency", "store", text]
    assert set(found["store"]) == set(TEXTS)


async def test_hostile_values_become_columns(history: History) -> None:
    """A pivot has a column for each value, whatever it is called, and no cell is lost."""
    asked = {"from": "orders", "dimensions": [{"field": "currency"}, {"field": "store"}]}
    found = await answer(history, {**asked, "pivot": {"dimension": "store", "columns": 50}})
    assert len(set(found.columns)) == len(found.columns)
    assert found.iloc[0, 1:].sum() == len(TEXTS)
    assert set(TEXTS) - set(found.columns) == set() or len(TEXTS) > 50


PLACES: list[Any] = [
    lambda text: {"from": text},
    lambda text: {"from": "orders", "measures": [{"measure": text, "field": "base_minor"}]},
    lambda text: {"from": "orders", "measures": [{"measure": "sum", "field": text}]},
    lambda text: {"from": "orders", "dimensions": [{"field": text}]},
    lambda text: {"from": "orders", "dimensions": [{"field": f"customers.{text}"}]},
    lambda text: {"from": "orders", "dimensions": [{"field": "placed_at", "grain": text}]},
    lambda text: {"from": "orders", "filters": [{"field": text, "value": 1}]},
    lambda text: {"from": "orders", "filters": [{"field": "store", "op": text, "value": 1}]},
    lambda text: {"from": "orders", "filters": [{"field": "placed_at", "op": "<", "value": text}]},
    lambda text: {"from": "orders", "filters": [{"field": "amount_minor", "value": text}]},
    lambda text: {"from": "orders", "period": {"field": "placed_at", "from": text, "to": text}},
    lambda text: {"from": "orders", "order": [text]},
    lambda text: {"from": "orders", "timezone": text, "dimensions": [{"field": "placed_at", "grain": "day"}]},
]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
async def test_no_known_escape_is_a_name(history: History, text: str) -> None:
    """Wherever a name goes, each known escape is refused in a sentence."""
    for place in PLACES:
        with pytest.raises((QueryRefused, BadParameter), match=r"\.$"):
            await answer(history, place(text))


async def test_no_known_escape_does_anything_as_a_value(history: History) -> None:
    """All of them find the rows that have them, nothing is changed, and nothing is written."""
    short = [text for text in HOSTILE if len(text) <= 4_096]
    for op, wanted in (("in", len({*short} & {*TEXTS})), ("not_in", len({*TEXTS} - {*short}))):
        filters = [{"field": "store", "op": op, "values": short}]
        assert await count(history, **{"from": "orders"}, filters=filters) == wanted
    for text in short[::10]:
        field = f"customers.traits.{text}"[:256]
        assert await count(history, **{"from": "orders"}, filters=[{"field": field, "value": text}]) == 0
    assert await count(history, **{"from": "orders"}) == len(TEXTS)
    assert not os.path.exists(OUTFILE)  # noqa: ASYNC240


@pytest.mark.parametrize(
    "module", ["archived", "migrations", "records", "orders_at", "tables", "system.tables"]
)
async def test_only_documented_modules_are_read(history: History, module: str) -> None:
    """The engine's own tables are none, and neither is a view by its other name."""
    with pytest.raises(QueryRefused, match="There is no module"):
        await answer(history, {"from": module})
