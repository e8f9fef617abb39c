"""Which rules, boundaries and exchange rates are in force?

Parameters are events too: each holds from where it stands in the log, so that a replay gives the same answer.
Unlike a customer's events they are read in the order of the log: the last one told is in force.
"""

from decimal import Decimal, InvalidOperation

from msgspec import Struct
from msgspec.structs import replace

from schemas.events import BaseCurrencySet, Event, ExchangeRateSet, LifecycleRulesSet, RfmBoundariesSet

MIN_RATE, MAX_RATE = Decimal("1e-12"), Decimal("1e12")


class Rules(Struct, frozen=True, array_like=True, gc=False):
    """The lifecycle thresholds in whole days of silence, and the RFM window (None: all orders)."""

    version: str = "default"
    new_days: int = 60
    active_days: int = 90
    at_risk_days: int = 180
    dormant_days: int = 365
    win_back_days: int = 180
    rhythm: bool = False
    reference_gap_days: int = 60
    rfm_window_days: int | None = None


class Boundaries(Struct, frozen=True, array_like=True, gc=False):
    """The 20/40/60/80 percentiles of recency (days), frequency and monetary (minor units of `currency`)."""

    as_of: int
    r: tuple[int, ...]
    f: tuple[int, ...]
    m_minor: tuple[int, ...]
    currency: str
    customers: int
    window_days: int | None = None


class Parameters(Struct, frozen=True, array_like=True, gc=False):
    rules: Rules = Rules()
    boundaries: Boundaries | None = None
    base_currency: str = "USD"
    rates: dict[str, str] = {}  # "EUR/USD" -> how many USD one EUR is worth, a decimal

    def rate(self, currency: str) -> Decimal | None:
        """How much of the base currency one unit of `currency` is worth; None where nobody has told."""
        rate = self.rates.get(f"{currency}/{self.base_currency}")
        return None if rate is None else Decimal(rate)


def evolve(parameters: Parameters, event: Event) -> Parameters:
    """The parameters after one event; what is not about parameters changes nothing."""
    match event:
        case LifecycleRulesSet():
            return replace(parameters, rules=_rules(event))
        case RfmBoundariesSet():
            return replace(parameters, boundaries=_boundaries(event))
        case ExchangeRateSet(currency=currency, base_currency=base, rate=rate) if _is_rate(rate):
            return replace(parameters, rates={**parameters.rates, f"{currency}/{base}": rate})
        case BaseCurrencySet(currency=currency):
            return replace(parameters, base_currency=currency)
        case _:
            return parameters


def _rules(event: LifecycleRulesSet) -> Rules:
    return Rules(**{name: getattr(event, name) for name in Rules.__struct_fields__})


def _boundaries(event: RfmBoundariesSet) -> Boundaries:
    return Boundaries(**{name: getattr(event, name) for name in Boundaries.__struct_fields__})


def _is_rate(text: str) -> bool:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        return False
    return rate.is_finite() and MIN_RATE <= rate <= MAX_RATE
