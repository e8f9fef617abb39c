"""What is a customer's body, for those who read /docs? projections/render.py writes it."""

from typing import Annotated, Any

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


class CustomerBody(Struct):
    """One customer as of its partition's stream time."""

    customer_id: str
    as_of: Time
    profile: ProfileBody
    orders: OrdersBody
    lifecycle: LifecycleBody
    rfm: RfmBody
    scores: dict[str, float]
    service: ServiceBody | UnsetType = UNSET
    feedback: FeedbackBody | UnsetType = UNSET
    campaigns: CampaignsBody | UnsetType = UNSET
