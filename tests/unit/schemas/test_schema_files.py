"""Do the .avsc files keep the promises that everything else builds on?"""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from schemas import generate, registry
from schemas.events import EVENT_TYPES, CustomerEvent, EngineEvent
from schemas.files import EVENT_FILES, EventFile

CATALOGUE = {
    "identity": {"CustomersMerged", "CustomersUnmerged", "CustomerErased"},
    "profile": {"CustomerRegistered", "TraitsUpdated", "ConsentChanged", "OwnerAssigned", "ContactLinked"},
    "commerce": {"OrderPlaced", "OrderCancelled", "OrderRefunded", "InvoiceIssued", "PaymentReceived"},
    "behaviour": {
        "PageViewed",
        "ProductViewed",
        "CartUpdated",
        "SearchPerformed",
        "SocialInteraction",
        "CustomEvent",
    },
    "service": {"TicketOpened", "TicketResolved", "ContactLogged", "WarrantyClaimed"},
    "feedback": {"SurveyAnswered", "ReviewPosted"},
    "marketing": {
        "CampaignPlanned",
        "CampaignSent",
        "CampaignOpened",
        "CampaignClicked",
        "CampaignBounced",
        "CampaignComplained",
        "DecisionReviewed",
        "CampaignUnsubscribed",
        "CouponRedeemed",
        "ReferralMade",
    },
    "sales": {
        "LeadCaptured",
        "OpportunityOpened",
        "OpportunityStageChanged",
        "OpportunityClosed",
        "QuoteIssued",
        "ContractSigned",
        "TaskScheduled",
        "TaskCompleted",
        "CompetitorNoted",
    },
    "engine": {
        "SqlAsked",
        "QuerySaved",
        "ReportSaved",
        "TriggersSet",
        "SegmentChanged",
        "LifecycleCorrected",
        "TriggerDecided",
        "DecisionDeferred",
        "DeliveryAttempted",
        "DeliverySucceeded",
        "DeliveryAbandoned",
        "DeliveryRedriven",
        "ClockTicked",
        "RfmBoundariesSet",
        "ExampleMatured",
        "ModelInForce",
        "ModelPublished",
        "ModelJudged",
        "ModelSwitchedOff",
        "ScoreBoundariesSet",
        "ScoresChanged",
        "ScoringSet",
        "LifecycleRulesSet",
        "ExchangeRateSet",
        "BaseCurrencySet",
        "LifecycleChanged",
        "ProcessingFailed",
    },
}
CUSTOMER_HEAD = ["event_id", "customer_id", "occurred_at", "received_at", "source", "channel"]
EACH = pytest.mark.parametrize("file", EVENT_FILES, ids=lambda file: f"{file.name}.v{file.version}")


def fields(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every field of a record and of the records inside it."""
    for field in schema["fields"]:
        yield field
        for part in field["type"] if isinstance(field["type"], list) else [field["type"]]:
            if isinstance(part, dict) and isinstance(part.get("items"), dict):
                yield from fields(part["items"])


def of_value(field: dict[str, Any]) -> Any:
    """A field's type without null."""
    kinds = field["type"]
    return next(kind for kind in kinds if kind != "null") if isinstance(kinds, list) else kinds


def test_the_catalogue_is_whole() -> None:
    """Each event of the catalogue has a schema, in its domain, and a type; there is no other."""
    found: dict[str, set[str]] = {}
    for file in EVENT_FILES:
        found.setdefault(file.domain, set()).add(file.name)
    assert found == CATALOGUE
    assert set(EVENT_TYPES) == set().union(*CATALOGUE.values())


def test_events_py_is_what_the_schemas_say() -> None:
    """The generated module is up to date: run `python -m schemas.generate` after a change."""
    assert generate.OUT.read_text(encoding="utf-8") == generate.source()


@EACH
def test_everything_has_a_doc(file: EventFile) -> None:
    """A record and each of its fields, inner ones too, say what they mean."""
    undocumented = [field["name"] for field in fields(file.schema) if len(field.get("doc", "")) < 8]
    assert undocumented == []
    assert file.schema["doc"].endswith(".")


@EACH
def test_personal_fields_can_hold_ciphertext(file: EventFile) -> None:
    """A personal field is a string, bytes, or a map of strings."""
    personal = {field["name"]: of_value(field) for field in fields(file.schema) if field.get("pii")}
    holds_text = ("string", "bytes", {"type": "map", "values": "string"})
    assert {name: kind for name, kind in personal.items() if kind not in holds_text} == {}


PERSONAL = {
    *("email", "phone", "handle", "text", "note", "traits", "signed_by", "owner_name"),
    *("properties", "filters"),
    *("subject", "title", "url", "referrer", "query", "reason", "resolution", "requested_by", "decided_by"),
    *("company", "interest", "reference", "purchase_order", "description", "serial_number"),
}
NOBODYS = {  # free text that is about no customer: of the engine, of a campaign, of the law
    *(("LifecycleChanged", "reason"), ("ProcessingFailed", "reason")),
    *(("CampaignPlanned", "name"), ("CampaignPlanned", "audience"), ("CampaignPlanned", "goal")),
    *(("CustomerErased", "legal_basis"), ("ConsentChanged", "legal_basis")),
    *(("LifecycleChanged", "cause_topic"), ("ProcessingFailed", "topic")),
    *(("ScoresChanged", "cause_topic"), ("ModelSwitchedOff", "reason")),
    *(("TriggersSet", "segments"), ("TriggersSet", "triggers")),
    *(
        ("SegmentChanged", "cause_topic"),
        ("LifecycleCorrected", "cause_topic"),
        ("LifecycleCorrected", "reason"),
    ),
    *(("TriggerDecided", "cause_topic"), ("TriggerDecided", "reason"), ("TriggerDecided", "inputs")),
    *(("DecisionDeferred", "cause_topic"), ("DecisionDeferred", "reason")),
    *(("DeliveryAttempted", "endpoint"), ("DeliveryAttempted", "error")),
    *(("DeliverySucceeded", "endpoint"), ("DeliveryAbandoned", "endpoint"), ("DeliveryAbandoned", "reason")),
}
SHORT = 128  # up to here it is an id or a word


def is_free_text(field: dict[str, Any]) -> bool:
    words = "one_of" in field or field["name"] in ("currency", "base_currency")
    return of_value(field) == "string" and field.get("max_length", 4096) > SHORT and not words


@EACH
def test_what_may_name_a_person_says_so(file: EventFile) -> None:
    """Free text, addresses, names and traits are marked as personal wherever they stand."""
    silent = {
        (file.name, field["name"])
        for field in fields(file.schema)
        if (is_free_text(field) or field["name"] in PERSONAL) and not field.get("pii")
    }
    assert silent <= NOBODYS


def test_what_is_nobodys_is_free_text_of_the_catalogue() -> None:
    """The exceptions name fields that are there and are not marked."""
    unmarked = {
        (file.name, field["name"])
        for file in EVENT_FILES
        for field in fields(file.schema)
        if "pii" not in field
    }
    assert unmarked >= NOBODYS


@EACH
def test_units_are_in_the_names(file: EventFile) -> None:
    """*_at is a timestamp, *_on a date, *_minor a long in a record that has a currency."""
    kinds = {
        "_at": {"type": "long", "logicalType": "timestamp-millis"},
        "_on": {"type": "int", "logicalType": "date"},
    }
    for field in fields(file.schema):
        for ending, kind in kinds.items():
            if field["name"] != "as_of":
                assert field["name"].endswith(ending) == (of_value(field) == kind), field
        if field["name"].endswith("_minor"):
            assert of_value(field) in ("long", {"type": "array", "items": "long"})
            assert "currency" in [f["name"] for f in file.schema["fields"]]


@EACH
def test_every_event_starts_with_the_common_fields(file: EventFile) -> None:
    """Id, customer, clocks, source and channel come first, in one order."""
    names = [field["name"] for field in file.schema["fields"]]
    if file.domain == "engine" and "customer_id" in names and file.name != "ProcessingFailed":
        assert names[:5] == CUSTOMER_HEAD[:5]
    elif "customer_id" in names and file.name != "ProcessingFailed":
        assert names[:6] == CUSTOMER_HEAD
    else:
        assert names[:4] == ["event_id", "occurred_at", "received_at", "source"]


def test_only_campaigns_and_the_engine_have_no_customer() -> None:
    """All other events are some customer's, and so lie in that customer's partition."""
    others = {name for name, kind in EVENT_TYPES.items() if not issubclass(kind, CustomerEvent | EngineEvent)}
    assert others == {"CampaignPlanned"}


def is_backward(newer: dict[str, Any], older: dict[str, Any]) -> bool:
    """Whether readers of newer understand what was written as older."""
    reader, writer = (avro.schema.parse(json.dumps(schema)) for schema in (newer, older))
    found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
    return bool(found.compatibility is SchemaCompatibilityType.compatible)


@pytest.mark.parametrize("subject", registry.subjects())
def test_each_version_reads_the_one_before(subject: str) -> None:
    """Versions are BACKWARD compatible, so that the whole log stays readable."""
    versions = [registry.lookup(subject, version).schema for version in registry.versions(subject)]
    assert all(is_backward(newer, older) for older, newer in pairwise(versions))
    assert is_backward(versions[-1], versions[-1])


def test_the_compatibility_check_can_fail() -> None:
    """A field added without a default is refused, one with a default is not."""
    tick = registry.lookup("headwater.ClockTicked", "latest").schema
    added = {"name": "zone", "type": "string", "doc": "Time zone."}
    assert not is_backward({**tick, "fields": [*tick["fields"], added]}, tick)
    assert is_backward({**tick, "fields": [*tick["fields"], {**added, "default": "UTC"}]}, tick)
