"""Which rules, boundaries and exchange rates are in force?

Parameters are events too: each holds from where it stands in the log, so that a replay gives the same answer.
Unlike a customer's events they are read in the order of the log: the last one told is in force.
"""

from decimal import Decimal, InvalidOperation

from msgspec import Struct
from msgspec.structs import replace

from schemas.events import (
    BaseCurrencySet,
    Event,
    ExchangeRateSet,
    LifecycleRulesSet,
    ModelInForce,
    RfmBoundariesSet,
    ScoreBoundariesSet,
    ScoringSet,
    TriggersSet,
)

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


class Scoring(Struct, frozen=True, array_like=True, gc=False):
    """What is predicted, how often it is asked, and of how many; no target switches the scores off."""

    targets: tuple[str, ...] = ()
    every_days: int = 7
    percent: int = 100


class InForce(Struct, frozen=True, array_like=True, gc=False):
    """The snapshot that scores a target: where it is in headwater.models, and what it had learned (ms)."""

    model: str
    offset: int
    upto: int


class ScoreBoundaries(Struct, frozen=True, array_like=True, gc=False):
    """Probabilities at 5, 10, … 95 percent of who has a score, and where the bands medium and high begin."""

    as_of: int
    percentiles: tuple[float, ...]
    bands: tuple[float, ...]
    customers: int


class Buying(Struct, frozen=True, array_like=True, gc=False):
    """How customers order: MBG/NBD's parameters (days), what its orders are multiplied by, the basket."""

    r: float
    alpha: float
    a: float
    b: float
    scale: float
    basket_minor: float  # mean contribution of a day with an order


class Valuation(Struct, frozen=True, array_like=True, gc=False):
    """What the expected 12-month value is computed from, and the least values of the tiers B and A."""

    as_of: int
    buying: Buying
    tiers: tuple[float, float]  # minor units of `currency`
    customers: int
    currency: str
    discount_rate: float


class Marketing(Struct, frozen=True, array_like=True, gc=False):
    """segments.toml and triggers.toml as they were told, and the clock that ages are measured on."""

    version: str = ""
    segments: str = ""
    triggers: str = ""
    clock: str = "wall"


class Parameters(Struct, frozen=True, array_like=True, gc=False):
    rules: Rules = Rules()
    boundaries: Boundaries | None = None
    base_currency: str = "USD"
    rates: dict[str, str] = {}  # "EUR/USD" -> how many USD one EUR is worth, a decimal
    scoring: Scoring = Scoring()
    models: dict[str, InForce] = {}  # by target
    scores: dict[str, ScoreBoundaries] = {}  # by target
    valuation: Valuation | None = None
    marketing: Marketing = Marketing()

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
        case ScoringSet(targets=targets, every_days=every_days, percent=percent):
            return replace(parameters, scoring=Scoring(targets, every_days, percent))
        case ModelInForce(target=target):
            model = InForce(event.model, event.model_offset, event.as_of)
            return replace(parameters, models={**parameters.models, target: model})
        case TriggersSet():
            marketing = Marketing(event.version, event.segments, event.triggers, event.clock)
            return replace(parameters, marketing=marketing)
        case ScoreBoundariesSet(target="value"):
            return replace(parameters, valuation=_valuation(event) or parameters.valuation)
        case ScoreBoundariesSet(target=target):
            boundaries = ScoreBoundaries(event.as_of, event.percentiles, event.bands, event.customers)
            return replace(parameters, scores={**parameters.scores, target: boundaries})
        case _:
            return parameters


def _rules(event: LifecycleRulesSet) -> Rules:
    return Rules(**{name: getattr(event, name) for name in Rules.__struct_fields__})


def _boundaries(event: RfmBoundariesSet) -> Boundaries:
    return Boundaries(**{name: getattr(event, name) for name in Boundaries.__struct_fields__})


def _valuation(event: ScoreBoundariesSet) -> Valuation | None:
    if len(event.coefficients) != len(Buying.__struct_fields__) or event.currency is None:
        return None
    match event.bands:
        case (b, a):
            buying = Buying(*event.coefficients)
            return Valuation(
                event.as_of, buying, (b, a), event.customers, event.currency, event.discount_rate
            )
        case _:
            return None


def _is_rate(text: str) -> bool:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        return False
    return rate.is_finite() and MIN_RATE <= rate <= MAX_RATE
