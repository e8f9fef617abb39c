"""What of a customer can be filtered and sorted on, and when does that change?"""

import hashlib
from typing import NamedTuple

import msgspec

from projections import engagement, money, orders, profile
from projections.engagement import Engagement
from projections.orders import Orders, moments, spend
from projections.parameters import Parameters
from projections.profile import Profile
from projections.times import DAY_MS
from streams.rows import CustomerRow, PartitionRow

INT64 = 2**63 - 1

_orders = msgspec.msgpack.Decoder(Orders | None).decode
_engagement = msgspec.msgpack.Decoder(Engagement | None).decode
_profile = msgspec.msgpack.Decoder(Profile | None).decode


class Columns(NamedTuple):
    """One customer's columns. Amounts in minor units of the base currency; times in ms.

    The two keys are digests of what the columns come from: where one has not changed, they are not derived
    again.
    """

    partition: int
    stage: str
    last_seen_at: int
    text_key: int
    scores: str | None  # JSON: probability by target
    segments: str | None  # JSON: names
    orders_key: int
    order_count: int
    net_minor: int
    last_order_at: int | None
    frequency: int  # orders within the RFM window
    monetary_minor: int | None  # within the RFM window; None where no amount can be converted
    mixed: bool  # some amount is not in the base currency, so that rates matter
    unconverted: str | None  # JSON: minor units by currency without a rate


NAMES = Columns._fields


class Basis(NamedTuple):
    """What the columns of a partition's customers depend on, besides their own state."""

    partition: int
    as_of: int
    parameters: Parameters
    everyone: bytes  # digest of what concerns every customer: base currency, window and its day
    digest: bytes  # of that and the exchange rates


def basis_of(partition: int, row: PartitionRow) -> Basis:
    parameters = row.parameters
    window = parameters.rules.rfm_window_days
    day = None if window is None else row.stream_time_ms // DAY_MS
    everyone = msgspec.msgpack.encode((parameters.base_currency, window, day))
    rates = msgspec.msgpack.encode(sorted(parameters.rates.items()))
    return Basis(partition, row.stream_time_ms, parameters, everyone, everyone + rates)


def derive(row: CustomerRow, basis: Basis, before: Columns | None) -> Columns:
    """The columns of a row; `before` are those it had."""
    state = row.state
    orders_key = _key(bytes(state.orders) + basis.digest)
    if before is None or before.orders_key != orders_key:
        about_orders = _order_columns(_orders(state.orders) or orders.ZERO, basis)
    else:
        about_orders = before[7:]
    return Columns(
        basis.partition,
        row.stage or "prospect",
        (_engagement(state.engagement) or engagement.ZERO).last_seen_at or 0,
        _key(bytes(state.profile)),
        _scores(row),
        _segments(row),
        orders_key,
        *about_orders,
    )


def search_text(customer_id: str, row: CustomerRow) -> str:
    """What a search looks in: the id and the traits' values."""
    known = _profile(row.state.profile) or profile.ZERO
    return " ".join((customer_id, *(trait.value for trait in known.traits.values() if trait.present)))


def unconverted_of(columns: Columns) -> dict[str, int]:
    return msgspec.json.decode(columns.unconverted or "{}", type=dict[str, int])


def segments_of(columns: Columns) -> list[str]:
    return msgspec.json.decode(columns.segments or "[]", type=list[str])


def _segments(row: CustomerRow) -> str | None:
    names = row.segments
    return msgspec.json.encode(names).decode() if names else None


def _scores(row: CustomerRow) -> str | None:
    known = row.scored.scores
    if not known:
        return None
    return msgspec.json.encode({target: score.probability for target, score in known.items()}).decode()


def _order_columns(
    state: Orders, basis: Basis
) -> tuple[int, int, int | None, int, int | None, bool, str | None]:
    parameters = basis.parameters
    window = parameters.rules.rfm_window_days
    when = moments(state)
    bought = spend(state, None)
    net = money.converted(bought.net_minor, parameters)
    if window is None:
        recent, recent_net = bought, net
    else:
        recent = spend(state, basis.as_of - window * DAY_MS)
        recent_net = money.converted(recent.net_minor, parameters)
    return (
        when.count,
        _int64(net.minor),
        when.last_at,
        recent.count,
        None if recent_net.nothing_left else _int64(recent_net.minor),
        any(currency != parameters.base_currency for currency in bought.net_minor),
        msgspec.json.encode(net.unconverted).decode() if net.unconverted else None,
    )


def _int64(minor: int) -> int:
    return max(-INT64, min(minor, INT64))


def _key(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), signed=True)
