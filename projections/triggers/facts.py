"""What can be said of a customer at a moment? The variables of expressions, each computed when it is read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from projections import campaigns, customer, engagement, feedback, lifecycle, orders, profile, rfm, service
from projections.customer import Customer, Packed
from projections.parameters import Parameters
from projections.times import DAY_MS
from schemas.currency import decimal

Value = Any  # what CEL reads: None, bool, int, float, str, datetime, list, dict of these


class Facts:
    """One customer as of a moment (ms, stream time). Money is in major units of the base currency."""

    def __init__(
        self,
        customer_id: str,
        state: Packed,
        as_of: int,
        parameters: Parameters,
        scores: Mapping[str, tuple[float, str | None]],  # by target: probability, band
        segments: Sequence[str],
    ) -> None:
        self.customer_id = customer_id
        self.as_of = as_of
        self._packed = state
        self._state: Customer | None = None
        self._parameters = parameters
        self._scores = scores
        self._segments = segments
        self._known: dict[str, Value] = {}

    @property
    def state(self) -> Customer:
        if self._state is None:
            self._state = customer.unpack(self._packed)
        return self._state

    def variables(self, names: Iterable[str]) -> dict[str, Value]:
        """The variables of these names, which are of NAMES."""
        for name in names:
            if name not in self._known:
                self._known[name] = NAMES[name](self)
        return {name: self._known[name] for name in names}

    def _now(self) -> Value:
        return _time(self.as_of)

    def _traits(self) -> Value:
        return profile.view(self.state.profile, self.as_of, self._parameters).traits

    def _consents(self) -> Value:
        return {key: consent.status for key, consent in self.state.profile.consents.items()}

    def _orders(self) -> Value:
        view = orders.view(self.state.orders, self.as_of, self._parameters)
        return {
            "count": view.count,
            "net": _money(view.net_minor, view.currency),
            "currency": view.currency,
            "first_at": _time(view.first_at),
            "last_at": _time(view.last_at),
            "mean_gap_days": view.mean_gap_days,
        }

    def _lifecycle(self) -> Value:
        view = lifecycle.view(self.state.orders, self.as_of, self._parameters)
        last_at = orders.last_at(self.state.orders)
        return {
            "stage": view.stage,
            "entered_at": _time(view.entered_at),
            "silence_days": None if last_at is None else max(0, (self.as_of - last_at) // DAY_MS),
        }

    def _rfm(self) -> Value:
        view = rfm.view(self.state.orders, self.as_of, self._parameters)
        currency = self._parameters.base_currency
        spent = None if view.monetary_minor is None else _money(view.monetary_minor, currency)
        return {
            "recency_days": view.recency_days,
            "frequency": view.frequency,
            "monetary": spent,
            **{score: getattr(view, score) for score in ("r", "f", "m")},
        }

    def _scores_of(self) -> Value:
        return {
            target: {"probability": probability, "band": band}
            for target, (probability, band) in self._scores.items()
        }

    def _engagement(self) -> Value:
        view = engagement.view(self.state.engagement, self.as_of, self._parameters)
        return {
            "first_seen_at": _time(view.first_seen_at),
            "last_seen_at": _time(view.last_seen_at),
            "channels": view.channels,
            "events": view.events,
        }

    def _service(self) -> Value:
        view = service.view(self.state.service, self.as_of, self._parameters)
        return {"tickets": view.tickets, "open_tickets": view.open_tickets, "contacts": view.contacts}

    def _feedback(self) -> Value:
        view = feedback.view(self.state.feedback, self.as_of, self._parameters)
        surveys = {kind: survey.latest for kind, survey in view.surveys.items()}
        return {"surveys": surveys, "reviews": view.reviews, "mean_rating": view.mean_rating}

    def _campaigns(self) -> Value:
        view = campaigns.view(self.state.campaigns, self.as_of, self._parameters)
        return {"counts": view.counts, "open_rate": view.open_rate, "click_rate": view.click_rate}


NAMES: dict[str, Callable[[Facts], Value]] = {
    "customer_id": lambda facts: facts.customer_id,
    "segments": lambda facts: list(facts._segments),
    "now": Facts._now,
    "traits": Facts._traits,
    "consents": Facts._consents,
    "orders": Facts._orders,
    "lifecycle": Facts._lifecycle,
    "rfm": Facts._rfm,
    "scores": Facts._scores_of,
    "engagement": Facts._engagement,
    "service": Facts._service,
    "feedback": Facts._feedback,
    "campaigns": Facts._campaigns,
}
TIMED = frozenset({"now", "lifecycle", "rfm"})  # they change though nothing happens


def _time(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC)


def _money(minor: int, currency: str) -> float:
    return float(decimal(minor, currency))
