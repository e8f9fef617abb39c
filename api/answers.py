"""What do the answers look like? Plain shapes, with times as RFC 3339 and money as decimal strings."""

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from api.lists import Cell, Found
from api.models import Models
from api.read_model import ReadModel
from projections import customer
from projections.lifecycle import STAGES
from projections.parameters import Boundaries
from projections.scoring import value
from projections.scoring.value import ValueView
from projections.times import rfc3339
from schemas.currency import decimal
from schemas.events import LifecycleChanged

T = TypeVar("T")

encode = msgspec.json.encode


class Page(Struct, Generic[T], frozen=True):
    items: list[T]
    next_cursor: str | None


class Revenue(Struct, frozen=True):
    """Paid less refunded, without cancelled orders; currencies without a rate stand apart."""

    amount: str
    currency: str
    unconverted: dict[str, str] | UnsetType = UNSET


class Summary(Struct, frozen=True):
    """All customers at a glance; `as_of` is the least stream time over the partitions."""

    as_of: str | None
    events: int
    customers: int
    orders: int
    revenue: Revenue
    stages: dict[str, int]


class RfmBoundaries(Struct, frozen=True):
    """The 20/40/60/80 percentiles in force: days, orders, and money in `currency`."""

    r: list[int]
    f: list[int]
    m: list[str]
    currency: str
    as_of: str


class RfmCell(Struct, frozen=True):
    r: int
    f: int
    customers: int
    net: str


class Rfm(Struct, frozen=True):
    """25 cells once boundaries are in force; before that, `boundaries` is null and `grid` is empty."""

    as_of: str | None
    boundaries: RfmBoundaries | None
    grid: list[RfmCell]


class Transition(Struct, frozen=True, rename={"from_stage": "from", "to_stage": "to"}):
    """A customer's stage changed. `from` is null where the customer was seen for the first time."""

    event_id: str
    customer_id: str
    occurred_at: str
    from_stage: str | None
    to_stage: str
    reason: str
    late: bool
    rules_version: str


class Appended(Struct, frozen=True):
    event_id: str
    partition: int
    offset: int


class Accepted(Struct, frozen=True):
    accepted: int
    events: list[Appended]


def answer(body: object, status: int = 200) -> Response:
    """A JSON response, without a detour through pydantic."""
    return Response(encode(body), status_code=status, media_type="application/json")


def summary(read_model: ReadModel) -> Summary:
    totals = read_model.totals()
    currency = read_model.parameters().base_currency
    apart = {each: decimal(minor, each) for each, minor in sorted(totals.unconverted.items()) if minor}
    return Summary(
        _moment(read_model.as_of_ms()),
        totals.events,
        totals.customers,
        totals.orders,
        Revenue(decimal(totals.net_minor, currency), currency, apart or UNSET),
        {stage: totals.stages.get(stage, 0) for stage in STAGES},
    )


def rfm(as_of_ms: int | None, boundaries: Boundaries | None, cells: list[Cell], currency: str) -> Rfm:
    grid = [RfmCell(cell.r, cell.f, cell.customers, decimal(cell.net_minor, currency)) for cell in cells]
    return Rfm(_moment(as_of_ms), None if boundaries is None else _boundaries(boundaries), grid)


def transition(event: LifecycleChanged) -> Transition:
    return Transition(
        event.event_id,
        event.customer_id,
        rfc3339(event.occurred_at),
        event.from_stage,
        event.to_stage,
        event.reason,
        event.late,
        event.rules_version,
    )


def customer_body(found: Found, models: Models) -> dict[str, Any]:
    """One customer at its partition's stream time, under the parameters in force there."""
    as_of = found.partition.stream_time_ms
    state = customer.unpack(found.row.state)
    view = customer.view(state, as_of, found.partition.parameters)
    body = {"customer_id": found.customer_id, "as_of": rfc3339(as_of), **customer.to_json(view)}
    body["scores"] = models.scores(found)
    body["segments"] = list(found.row.segments)
    body["value"] = _value(value.view(state.orders, as_of, found.partition.parameters))
    if found.row.stage == view.lifecycle.stage:  # since when, as it was announced
        body["lifecycle"]["entered_at"] = rfc3339(found.row.stage_since_ms)
    return body


def _value(seen: ValueView) -> dict[str, str | None]:
    return {
        "historic": _amount(seen.historic_minor, seen.currency),
        "expected_12_months": _amount(seen.expected_minor, seen.currency),
        "tier": seen.tier,
        "currency": seen.currency,
    }


def _amount(minor: int | None, currency: str) -> str | None:
    return None if minor is None else decimal(minor, currency)


def _boundaries(boundaries: Boundaries) -> RfmBoundaries:
    return RfmBoundaries(
        list(boundaries.r),
        list(boundaries.f),
        [decimal(minor, boundaries.currency) for minor in boundaries.m_minor],
        boundaries.currency,
        rfc3339(boundaries.as_of),
    )


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)
