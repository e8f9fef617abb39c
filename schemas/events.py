"""What can happen? One frozen Struct an event, written by `python -m schemas.generate`.

Edit the .avsc files, not this. Each field's `doc` is there. Limits hold for what is decoded from the log.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

Uuid = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")]
CustomerId = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z", max_length=128)]
Millis = Annotated[int, Meta(ge=0, le=10413791999999)]  # since the epoch, UTC
Days = Annotated[int, Meta(ge=-25567, le=120529)]  # since 1970-01-01
Minor = Annotated[int, Meta(ge=0, le=1000000000000000)]  # money, in minor units of the record's currency
Long = Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)]  # what JSON numbers hold exactly
Count = Annotated[int, Meta(ge=0, le=9007199254740991)]
Positive = Annotated[int, Meta(ge=1, le=9007199254740991)]
Double = Annotated[float, Meta(ge=-1.7976931348623157e308, le=1.7976931348623157e308)]  # finite


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """What every event has."""

    event_id: Uuid
    occurred_at: Millis
    received_at: Millis
    source: str = "api"


class CustomerEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something happened with one customer; customer_id is the record's key."""

    customer_id: CustomerId
    channel: str | None = None


class EngineEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something that the engine itself tells: the time, parameters in force, conclusions."""

    source: str = "engine"


class CustomerErased(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer asked to be forgotten (GDPR article 17); only recorded, erasure itself comes later."""

    request_id: str | None = None
    requested_at: Millis | None = None
    legal_basis: str | None = None
    requested_by: str | None = None


class CustomersMerged(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """Two customer ids turned out to be one customer: merged_customer_id joins customer_id."""

    merged_customer_id: CustomerId
    method: str = "manual"
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    decided_by: str | None = None
    reason: str | None = None


class CustomersUnmerged(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """An earlier merge was wrong: merged_customer_id is a customer of its own again."""

    merged_customer_id: CustomerId
    merge_event_id: Uuid | None = None
    decided_by: str | None = None
    reason: str | None = None


class ConsentChanged(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer granted or withdrew consent to be contacted. source and channel say where."""

    consent_channel: str
    purpose: str
    status: str
    legal_basis: str | None = None
    policy_version: str | None = None


class ContactLinked(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A person has a role at an organisation, which is the customer."""

    contact_id: str
    role: str | None = None
    department: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    is_primary: bool = False
    since_on: Days | None = None
    until_on: Days | None = None


class CustomerRegistered(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A customer became known by name."""

    traits: dict[str, str] = field(default_factory=dict)
    kind: str = "person"
    campaign_id: str | None = None
    referral_code: str | None = None


class OwnerAssigned(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A colleague or team became responsible for the customer."""

    owner_id: str
    owner_name: str | None = None
    team: str | None = None
    role: str | None = None
    reason: str | None = None


class TraitsUpdated(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """Something became known of the customer, or is no longer so."""

    traits: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


class InvoiceIssued(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """An invoice went to the customer."""

    invoice_id: str
    order_id: str | None = None
    contract_id: str | None = None
    amount_minor: Minor
    currency: str
    tax_minor: Minor | None = None
    due_on: Days | None = None
    purchase_order: str | None = None


class OrderCancelled(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """An order was called off as a whole, as if it had never been placed."""

    order_id: str
    reason: str | None = None


class OrderLine(Struct, frozen=True, kw_only=True, gc=False):
    """One product of an order."""

    sku: str
    category: str | None = None
    quantity: Count
    unit_price_minor: Minor
    cost_minor: Minor | None = None


class OrderPlaced(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer bought something."""

    order_id: str
    amount_minor: Minor
    currency: str
    tax_minor: Minor | None = None
    shipping_minor: Minor | None = None
    discount_minor: Minor | None = None
    store: str | None = None
    coupon: str | None = None
    lines: tuple[OrderLine, ...] = ()


class RefundLine(Struct, frozen=True, kw_only=True, gc=False):
    """One product that came back."""

    sku: str
    quantity: Count
    amount_minor: Minor | None = None


class OrderRefunded(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """Money of an order went back to the customer."""

    order_id: str
    amount_minor: Minor
    currency: str
    tax_minor: Minor | None = None
    reason: str | None = None
    lines: tuple[RefundLine, ...] = ()


class PaymentReceived(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer paid."""

    payment_id: str
    invoice_id: str | None = None
    order_id: str | None = None
    amount_minor: Minor
    currency: str
    fee_minor: Minor | None = None
    method: str | None = None
    reference: str | None = None


class CartLine(Struct, frozen=True, kw_only=True, gc=False):
    """One product in a cart."""

    sku: str
    category: str | None = None
    quantity: Count
    unit_price_minor: Minor | None = None


class CartUpdated(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer's cart changed."""

    cart_id: str | None = None
    action: str | None = None
    sku: str | None = None
    lines: tuple[CartLine, ...] = ()
    amount_minor: Minor | None = None
    currency: str | None = None
    coupon: str | None = None
    session_id: str | None = None


class CustomEvent(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """Something of your own, for which the catalogue has no event."""

    name: str
    properties: dict[str, str] = field(default_factory=dict)


class PageViewed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer looked at a page or screen."""

    url: str
    title: str | None = None
    referrer: str | None = None
    session_id: str | None = None
    device: str | None = None
    campaign_id: str | None = None
    dwell_ms: Count | None = None


class ProductViewed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer looked at a product."""

    sku: str
    category: str | None = None
    price_minor: Minor | None = None
    currency: str | None = None
    url: str | None = None
    session_id: str | None = None
    device: str | None = None
    campaign_id: str | None = None
    dwell_ms: Count | None = None


class SearchPerformed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer searched for something."""

    query: str
    results: Count | None = None
    category: str | None = None
    filters: dict[str, str] = field(default_factory=dict)
    clicked_sku: str | None = None
    session_id: str | None = None


class SocialInteraction(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer reacted to something on a social network."""

    action: str
    network: str | None = None
    content_id: str | None = None
    sku: str | None = None
    campaign_id: str | None = None
    url: str | None = None
    handle: str | None = None
    text: str | None = None


class ContactLogged(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """We spoke or wrote with the customer."""

    kind: str
    direction: str = "inbound"
    interaction_id: str | None = None
    agent_id: str | None = None
    duration_seconds: Count | None = None
    outcome: str | None = None
    subject: str | None = None
    note: str | None = None
    ticket_id: str | None = None
    opportunity_id: str | None = None


class TicketOpened(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer asked for help or complained."""

    ticket_id: str
    subject: str | None = None
    text: str | None = None
    category: str | None = None
    priority: str = "normal"
    order_id: str | None = None
    sku: str | None = None
    agent_id: str | None = None
    due_at: Millis | None = None


class TicketResolved(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A ticket was closed."""

    ticket_id: str
    resolution: str | None = None
    agent_id: str | None = None
    first_reply_at: Millis | None = None
    handling_minutes: Count | None = None
    note: str | None = None


class WarrantyPart(Struct, frozen=True, kw_only=True, gc=False):
    """One part that was replaced."""

    sku: str
    quantity: Count
    unit_cost_minor: Minor | None = None


class WarrantyClaimed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer claimed a warranty."""

    claim_id: str
    sku: str
    order_id: str | None = None
    serial_number: str | None = None
    purchased_on: Days | None = None
    decision: str | None = None
    description: str | None = None
    parts: tuple[WarrantyPart, ...] = ()
    cost_minor: Minor | None = None
    currency: str | None = None


class ReviewPosted(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer reviewed a product or the shop in public."""

    review_id: str
    sku: str | None = None
    order_id: str | None = None
    rating: Annotated[float, Meta(ge=0, le=1.7976931348623157e308)]
    rating_max: Positive = 5
    title: str | None = None
    text: str | None = None
    site: str | None = None
    url: str | None = None


class SurveyAnswered(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer answered one question of a survey."""

    survey: str
    question: str
    kind: str
    score: Double
    scale_min: int = 0
    scale_max: int = 10
    text: str | None = None
    response_id: str | None = None
    order_id: str | None = None
    ticket_id: str | None = None


class CampaignBounced(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A message did not reach the customer."""

    campaign_id: str
    message_id: str | None = None
    variant: str | None = None
    kind: str
    reason: str | None = None


class CampaignClicked(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer followed a link of a message."""

    campaign_id: str
    message_id: str | None = None
    variant: str | None = None
    url: str | None = None
    link: str | None = None
    device: str | None = None


class CampaignComplained(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer marked a message as unwanted."""

    campaign_id: str
    message_id: str | None = None
    variant: str | None = None
    reason: str | None = None


class CampaignOpened(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer opened a message."""

    campaign_id: str
    message_id: str | None = None
    variant: str | None = None
    device: str | None = None
    is_automatic: bool = False


class CampaignPlanned(Event, frozen=True, kw_only=True, gc=False):
    """A campaign is to run. It concerns no single customer."""

    channel: str | None = None
    campaign_id: str
    name: str
    starts_on: Days
    ends_on: Days | None = None
    budget_minor: Minor | None = None
    currency: str | None = None
    audience: str | None = None
    audience_size: Count | None = None
    goal: str | None = None
    owner_id: str | None = None


class CampaignSent(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A message of a campaign went to the customer."""

    campaign_id: str
    message_id: str | None = None
    variant: str | None = None
    template: str | None = None
    cost_minor: Minor | None = None
    currency: str | None = None
    starts_on: Days | None = None


class CampaignUnsubscribed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer wants no more of such messages."""

    campaign_id: str
    message_id: str | None = None
    variant: str | None = None
    purpose: str | None = None
    reason: str | None = None


class CouponRedeemed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer used a coupon."""

    coupon: str
    campaign_id: str | None = None
    order_id: str | None = None
    discount_minor: Minor | None = None
    currency: str | None = None


class DecisionReviewed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A person said yes or no to a trigger's message that waited for review."""

    decision_id: Uuid
    trigger: str
    approved: bool
    reviewer: str | None = None
    comment: str | None = None


class ReferralMade(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer recommended us to someone."""

    referred_customer_id: CustomerId | None = None
    referral_code: str | None = None
    email: str | None = None
    campaign_id: str | None = None
    status: str = "invited"
    reward_minor: Minor | None = None
    currency: str | None = None


class CompetitorNoted(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A competitor is courting or serving the customer."""

    competitor: str
    standing: str | None = None
    opportunity_id: str | None = None
    sku: str | None = None
    price_minor: Minor | None = None
    currency: str | None = None
    note: str | None = None


class ContractSigned(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer signed a contract."""

    contract_id: str
    opportunity_id: str | None = None
    quote_id: str | None = None
    amount_minor: Minor
    currency: str
    starts_on: Days
    ends_on: Days | None = None
    is_renewing: bool = False
    billing_period: str | None = None
    signed_by: str | None = None


class LeadCaptured(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """The customer showed interest for the first time."""

    lead_id: str
    origin: str | None = None
    campaign_id: str | None = None
    interest: str | None = None
    company: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    score: Double | None = None
    owner_id: str | None = None


class OpportunityClosed(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """An opportunity was won or lost."""

    opportunity_id: str
    outcome: str
    amount_minor: Minor | None = None
    currency: str | None = None
    reason: str | None = None
    competitor: str | None = None
    order_id: str | None = None


class OpportunityOpened(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A chance to sell something arose."""

    opportunity_id: str
    name: str | None = None
    stage: str
    amount_minor: Minor | None = None
    currency: str | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    expected_close_on: Days | None = None
    owner_id: str | None = None
    lead_id: str | None = None
    campaign_id: str | None = None


class OpportunityStageChanged(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """An opportunity moved in the sales pipeline."""

    opportunity_id: str
    from_stage: str | None = None
    to_stage: str
    amount_minor: Minor | None = None
    currency: str | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    expected_close_on: Days | None = None
    reason: str | None = None


class QuoteLine(Struct, frozen=True, kw_only=True, gc=False):
    """One product of a quote."""

    sku: str
    category: str | None = None
    quantity: Count
    unit_price_minor: Minor


class QuoteIssued(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """An offer with prices went to the customer."""

    quote_id: str
    revision: Positive = 1
    opportunity_id: str | None = None
    amount_minor: Minor
    currency: str
    tax_minor: Minor | None = None
    discount_minor: Minor | None = None
    valid_until_on: Days | None = None
    lines: tuple[QuoteLine, ...] = ()


class TaskCompleted(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A task was done or dropped."""

    task_id: str
    outcome: str = "done"
    owner_id: str | None = None
    duration_minutes: Count | None = None
    note: str | None = None


class TaskScheduled(CustomerEvent, frozen=True, kw_only=True, gc=False):
    """A colleague is to do something for the customer."""

    task_id: str
    title: str
    kind: str | None = None
    due_at: Millis
    priority: str = "normal"
    owner_id: str | None = None
    opportunity_id: str | None = None
    ticket_id: str | None = None
    note: str | None = None


class BaseCurrencySet(EngineEvent, frozen=True, kw_only=True, gc=False):
    """Totals over several currencies are now shown in this one."""

    currency: str


class ClockTicked(EngineEvent, frozen=True, kw_only=True, gc=False):
    """Time passed; occurred_at is the time it now is."""


class DecisionDeferred(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A decision waits: for the end of quiet hours, or for a person."""

    customer_id: CustomerId
    decision_id: Uuid
    trigger: str
    rules_version: str
    kind: str
    about: str = ""
    before: str | None = None
    after: str | None = None
    transition_id: Uuid
    transition_at: Millis
    waits_for: str
    until_at: Millis
    reason: str
    cause_topic: str
    cause_partition: Count
    cause_offset: Count


class DeliveryAbandoned(EngineEvent, frozen=True, kw_only=True, gc=False):
    """The message is not sent, or no longer: a check failed, or the attempts are used up (parked)."""

    customer_id: CustomerId
    decision_id: Uuid
    trigger: str
    attempts: Count
    endpoint: str
    why: str
    reason: str


class DeliveryAttempted(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A message was sent to its receiver, or that was tried."""

    customer_id: CustomerId
    decision_id: Uuid
    trigger: str
    attempt: Positive
    endpoint: str
    succeeded: bool
    status: Count | None = None
    error: str | None = None
    response: str | None = None
    elapsed_ms: Count
    next_attempt_at: Millis | None = None


class DeliveryRedriven(EngineEvent, frozen=True, kw_only=True, gc=False):
    """Somebody had an abandoned message tried again."""

    customer_id: CustomerId
    decision_id: Uuid
    trigger: str
    requested_by: str | None = None


class DeliverySucceeded(EngineEvent, frozen=True, kw_only=True, gc=False):
    """The receiver took the message."""

    customer_id: CustomerId
    decision_id: Uuid
    trigger: str
    attempts: Positive
    endpoint: str


class ExampleMatured(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A question about a customer has its answer: what was known, what was predicted, what happened."""

    customer_id: CustomerId
    target: str
    about: str = ""
    asked_at: Millis
    ends_at: Millis
    features_version: Count
    features: bytes
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    model_offset: Count | None = None
    label: bool
    asked_partition: Count
    asked_offset: Count


class ExchangeRateSet(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A currency is now worth this much of the base currency."""

    currency: str
    base_currency: str
    rate: str


class LifecycleChanged(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A customer moved to another lifecycle stage."""

    customer_id: CustomerId
    from_stage: str | None = None
    to_stage: str
    reason: str
    late: bool
    rules_version: str
    cause_topic: str
    cause_partition: Count
    cause_offset: Count


class LifecycleCorrected(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A late event shows that an announced transition was wrong."""

    customer_id: CustomerId
    corrects_id: Uuid
    transition_at: Millis
    announced_stage: str
    stage: str
    reason: str
    rules_version: str
    cause_topic: str
    cause_partition: Count
    cause_offset: Count


class LifecycleRulesSet(EngineEvent, frozen=True, kw_only=True, gc=False):
    """The lifecycle rules in force are now these."""

    version: str
    new_days: Positive = 60
    active_days: Positive = 90
    at_risk_days: Positive = 180
    dormant_days: Positive = 365
    win_back_days: Positive = 180
    rhythm: bool = False
    reference_gap_days: Positive = 60
    rfm_window_days: Positive | None = None


class ModelInForce(EngineEvent, frozen=True, kw_only=True, gc=False):
    """Customers are now scored by this snapshot."""

    target: str
    model: str
    as_of: Millis
    model_offset: Count


class ModelJudged(EngineEvent, frozen=True, kw_only=True, gc=False):
    """How good a model's predictions were, each judged once its horizon had passed."""

    target: str
    model: str
    as_of: Millis
    window: str
    is_champion: bool
    is_off: bool
    examples: Count
    base_rate: Double | None = None
    roc_auc: Double | None = None
    average_precision: Double | None = None
    log_loss: Double | None = None
    brier: Double | None = None
    ece: Double | None = None
    lift: Double | None = None
    calibration_counts: tuple[Long, ...]
    calibration_predicted: tuple[Double, ...]
    calibration_actual: tuple[Double, ...]
    drifted: tuple[str, ...]


class ModelPublished(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A model as it was once it had learned all that ended by a moment."""

    target: str
    model: str
    as_of: Millis
    lessons: Count
    snapshot: bytes


class ModelSwitchedOff(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A model failed: a shadow no longer learns, a champion went back to what it was before."""

    target: str
    model: str
    reason: str
    is_off: bool


class ProcessingFailed(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A record of the log could not be processed; this keeps it, and why."""

    topic: str
    partition: Count
    offset: Count
    reason: str
    key: bytes | None = None
    value: bytes | None = None
    customer_id: str | None = None


class QuerySaved(EngineEvent, frozen=True, kw_only=True, gc=False):
    """An SQL statement was saved under a name; an earlier one of that name is history."""

    who: str
    name: str
    query: str


class ReportSaved(EngineEvent, frozen=True, kw_only=True, gc=False):
    """An own report was saved under a name; earlier versions stay."""

    who: str
    name: str
    version: Positive
    title: str
    form: str


class RfmBoundariesSet(EngineEvent, frozen=True, kw_only=True, gc=False):
    """The RFM boundaries are now these: percentiles 20, 40, 60, 80 (inverted CDF) of who ordered."""

    as_of: Millis
    r: tuple[int, ...]
    f: tuple[int, ...]
    m_minor: tuple[Minor, ...]
    currency: str
    customers: Count
    window_days: Positive | None = None


class ScoreBoundariesSet(EngineEvent, frozen=True, kw_only=True, gc=False):
    """The boundaries of a target's scores are now these; of value, its parameters and tiers."""

    target: str
    as_of: Millis
    percentiles: tuple[Double, ...]
    bands: tuple[Double, ...]
    customers: Count
    coefficients: tuple[Double, ...] = ()
    discount_rate: Annotated[float, Meta(ge=0, le=1)] = 0.0
    currency: str | None = None


class ScoresChanged(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A customer's score moved to another band."""

    customer_id: CustomerId
    target: str
    from_band: str | None = None
    to_band: str | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    model_offset: Count | None = None
    cause_topic: str
    cause_partition: Count
    cause_offset: Count


class ScoringSet(EngineEvent, frozen=True, kw_only=True, gc=False):
    """What is predicted is now this, and asked so often."""

    targets: tuple[str, ...]
    every_days: Positive
    percent: Positive = 100


class SegmentChanged(EngineEvent, frozen=True, kw_only=True, gc=False):
    """A customer entered or left a segment."""

    customer_id: CustomerId
    segment: str
    entered: bool
    late: bool
    rules_version: str
    cause_topic: str
    cause_partition: Count
    cause_offset: Count


class SqlAsked(EngineEvent, frozen=True, kw_only=True, gc=False):
    """Somebody asked the history, in SQL or by a report."""

    who: str
    report: str | None = None
    query: str
    parameters: tuple[str, ...]
    rows: Count
    elapsed_ms: Annotated[float, Meta(ge=0, le=1.7976931348623157e308)]
    outcome: str


class TriggerDecided(EngineEvent, frozen=True, kw_only=True, gc=False):
    """Whether a trigger tells of a customer's transition: the one final verdict."""

    customer_id: CustomerId
    decision_id: Uuid
    trigger: str
    rules_version: str
    kind: str
    about: str = ""
    before: str | None = None
    after: str | None = None
    transition_id: Uuid
    transition_at: Millis
    verdict: str
    reason: str
    inputs: dict[str, str]
    retracts_id: Uuid | None = None
    cause_topic: str
    cause_partition: Count
    cause_offset: Count


class TriggersSet(EngineEvent, frozen=True, kw_only=True, gc=False):
    """The segments and triggers in force are now these."""

    version: str
    segments: str
    triggers: str
    clock: str


EVENT_TYPES: dict[str, type[Event]] = {
    "CustomerErased": CustomerErased,
    "CustomersMerged": CustomersMerged,
    "CustomersUnmerged": CustomersUnmerged,
    "ConsentChanged": ConsentChanged,
    "ContactLinked": ContactLinked,
    "CustomerRegistered": CustomerRegistered,
    "OwnerAssigned": OwnerAssigned,
    "TraitsUpdated": TraitsUpdated,
    "InvoiceIssued": InvoiceIssued,
    "OrderCancelled": OrderCancelled,
    "OrderPlaced": OrderPlaced,
    "OrderRefunded": OrderRefunded,
    "PaymentReceived": PaymentReceived,
    "CartUpdated": CartUpdated,
    "CustomEvent": CustomEvent,
    "PageViewed": PageViewed,
    "ProductViewed": ProductViewed,
    "SearchPerformed": SearchPerformed,
    "SocialInteraction": SocialInteraction,
    "ContactLogged": ContactLogged,
    "TicketOpened": TicketOpened,
    "TicketResolved": TicketResolved,
    "WarrantyClaimed": WarrantyClaimed,
    "ReviewPosted": ReviewPosted,
    "SurveyAnswered": SurveyAnswered,
    "CampaignBounced": CampaignBounced,
    "CampaignClicked": CampaignClicked,
    "CampaignComplained": CampaignComplained,
    "CampaignOpened": CampaignOpened,
    "CampaignPlanned": CampaignPlanned,
    "CampaignSent": CampaignSent,
    "CampaignUnsubscribed": CampaignUnsubscribed,
    "CouponRedeemed": CouponRedeemed,
    "DecisionReviewed": DecisionReviewed,
    "ReferralMade": ReferralMade,
    "CompetitorNoted": CompetitorNoted,
    "ContractSigned": ContractSigned,
    "LeadCaptured": LeadCaptured,
    "OpportunityClosed": OpportunityClosed,
    "OpportunityOpened": OpportunityOpened,
    "OpportunityStageChanged": OpportunityStageChanged,
    "QuoteIssued": QuoteIssued,
    "TaskCompleted": TaskCompleted,
    "TaskScheduled": TaskScheduled,
    "BaseCurrencySet": BaseCurrencySet,
    "ClockTicked": ClockTicked,
    "DecisionDeferred": DecisionDeferred,
    "DeliveryAbandoned": DeliveryAbandoned,
    "DeliveryAttempted": DeliveryAttempted,
    "DeliveryRedriven": DeliveryRedriven,
    "DeliverySucceeded": DeliverySucceeded,
    "ExampleMatured": ExampleMatured,
    "ExchangeRateSet": ExchangeRateSet,
    "LifecycleChanged": LifecycleChanged,
    "LifecycleCorrected": LifecycleCorrected,
    "LifecycleRulesSet": LifecycleRulesSet,
    "ModelInForce": ModelInForce,
    "ModelJudged": ModelJudged,
    "ModelPublished": ModelPublished,
    "ModelSwitchedOff": ModelSwitchedOff,
    "ProcessingFailed": ProcessingFailed,
    "QuerySaved": QuerySaved,
    "ReportSaved": ReportSaved,
    "RfmBoundariesSet": RfmBoundariesSet,
    "ScoreBoundariesSet": ScoreBoundariesSet,
    "ScoresChanged": ScoresChanged,
    "ScoringSet": ScoringSet,
    "SegmentChanged": SegmentChanged,
    "SqlAsked": SqlAsked,
    "TriggerDecided": TriggerDecided,
    "TriggersSet": TriggersSet,
}
