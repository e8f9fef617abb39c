"""What is a customer's body, for those who read /docs? projections/render.py writes it."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from projections.lifecycle import Stage

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time", "examples": ["1998-06-30T00:00:00Z"]})]
Money = Annotated[
    str, Meta(extra_json_schema={"examples": ["100.50"]}, description="A decimal in the currency.")
]
Score = Annotated[int, Meta(ge=1, le=5)]
ByCurrency = Annotated[
    dict[str, str], Meta(description="Amounts in currencies without a rate, never added up.")
]
TimelineEvent = Annotated[
    dict[str, Any], Meta(description="An event, in the form in which it may be posted.")
]


class Consent(Struct):
    status: str
    since: Time


class Owner(Struct):
    owner_id: str
    name: str | None
    team: str | None


class Contact(Struct):
    name: str | None
    role: str | None
    is_primary: bool


class ProfileBody(Struct):
    """Traits are the last ones told; the optional members are there once there is something to say."""

    traits: dict[str, str]
    first_seen_at: Time | None
    last_seen_at: Time | None
    channels: Annotated[dict[str, int], Meta(description="Events by channel.")]
    registered_at: Time | UnsetType = UNSET
    consents: dict[str, Consent] | UnsetType = UNSET
    owner: Owner | UnsetType = UNSET
    contacts: dict[str, Contact] | UnsetType = UNSET


class OrdersBody(Struct):
    """Cancelled orders never happened; refunds lower `net` only."""

    count: int
    net: Money
    currency: str
    first_at: Time | None
    last_at: Time | None
    mean_gap_days: Annotated[float | None, Meta(description="Null below two orders.")]
    unconverted: ByCurrency | UnsetType = UNSET


class LifecycleBody(Struct):
    stage: Stage
    entered_at: Time | None
    reason: Annotated[str, Meta(examples=["no order for 200 days, more than 180"])]
    next_change_at: Annotated[Time | None, Meta(description="When silence alone changes the stage.")]


class RfmBody(Struct):
    """Scores are 1 (worst) to 5, null before an order or before boundaries are in force."""

    recency_days: int | None
    frequency: int
    monetary: Money | None
    r: Score | None
    f: Score | None
    m: Score | None


class ServiceBody(Struct):
    tickets: int
    open_tickets: int
    mean_hours_to_resolve: float | None
    contacts: dict[str, int]
    last_contact_at: Time | None
    warranty_claims: int
    warranty_cost: Money
    currency: str
    unconverted: ByCurrency | UnsetType = UNSET


class SurveyBody(Struct):
    answers: int
    mean: float | None
    latest: float | None
    net_promoter: float | None


class FeedbackBody(Struct):
    surveys: dict[str, SurveyBody]
    reviews: int
    mean_rating: float | None
    latest_rating: float | None


class CampaignsBody(Struct):
    counts: dict[str, int]
    last_at: dict[str, Time]
    open_rate: float | None
    click_rate: float | None


class ReasonBody(Struct):
    """What one feature adds to the log-odds, against a customer of whom all is average."""

    feature: str
    value: float | None
    contribution: float
    words: Annotated[str, Meta(examples=["hasn't ordered for 61 days; usually every 20"])]


class ScoreBody(Struct):
    """What a model says of the customer. Band and percentile are null before boundaries are in force."""

    probability: Annotated[float, Meta(ge=0, le=1)]
    band: Literal["low", "medium", "high"] | None
    percentile: Annotated[int, Meta(ge=0, le=95)] | None
    model: str | None
    version: Annotated[str | None, Meta(description="The snapshot that scored.")]
    scored_at: Time
    reasons: list[ReasonBody]


class CalibrationBody(Struct):
    """Of the predictions within a tenth: how many, their mean, and the share that came true."""

    examples: int
    predicted: float
    actual: float


class QualityBody(Struct):
    """Null where no label, or only one of the two, was seen."""

    as_of: Time
    examples: int
    base_rate: float | None
    roc_auc: float | None
    average_precision: float | None
    log_loss: float | None
    brier: float | None
    ece: float | None
    lift: float | None
    calibration: list[CalibrationBody]


class ModelBody(Struct):
    model: str
    is_champion: bool
    is_off: Annotated[bool, Meta(description="It failed, and no longer learns.")]
    rolling: QualityBody
    cumulative: QualityBody


class InForceBody(Struct):
    model: str
    version: str
    as_of: Time


class DriftBody(Struct):
    """Inputs of the models whose daily mean left what was usual, or `prediction`."""

    as_of: Time
    what: list[str]


class TargetBody(Struct):
    """One target; `in_force` is null until a model has learned something. `drift`: the latest 20."""

    target: str
    meaning: Annotated[str, Meta(description="Goes on from: the customer …")]
    horizon_days: int
    is_predicted: bool
    in_force: InForceBody | None
    drift: list[DriftBody]
    models: list[ModelBody]


class PointBody(Struct):
    as_of: Time
    examples: int
    roc_auc: float | None


class TargetsBody(Struct):
    items: list[TargetBody]


class TargetHistoryBody(TargetBody):
    history: dict[str, list[PointBody]]


class ExplanationBody(Struct):
    """A prediction as it was made; `happened` is null while its horizon has not passed."""

    customer_id: str
    target: str
    campaign: Annotated[str | None, Meta(description="The campaign that was asked about.")]
    asked_at: Time
    ends_at: Time
    happened: bool | None
    probability: Annotated[float | None, Meta(description="Null where no model was in force yet.")]
    model: str | None
    version: str | None
    is_reproduced: bool | None
    partition: int
    offset: int
    features: dict[str, float]
    reasons: list[ReasonBody]
    events: list[TimelineEvent]


class ValueBody(Struct):
    """Net less known cost so far, and what is expected of the next 365 days; null where not known yet.

    Tier A are the customers who are expected to bring 80 % of all, B those who bring it to 95 %.
    """

    historic: Money | None
    expected_12_months: Money | None
    tier: Literal["A", "B", "C"] | None
    currency: str


class CustomerBody(Struct):
    """One customer as of its partition's stream time."""

    customer_id: str
    as_of: Time
    profile: ProfileBody
    orders: OrdersBody
    lifecycle: LifecycleBody
    rfm: RfmBody
    scores: dict[str, ScoreBody]
    segments: Annotated[list[str], Meta(description="Names of those that the customer is in.")]
    value: ValueBody
    service: ServiceBody | UnsetType = UNSET
    feedback: FeedbackBody | UnsetType = UNSET
    campaigns: CampaignsBody | UnsetType = UNSET
