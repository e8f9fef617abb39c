"""Are help, opinion and campaigns told right: service, feedback, campaigns?"""

from typing import Any

import pytest

from projections import campaigns, feedback, service
from projections.feedback import SurveyView
from projections.parameters import Parameters
from projections.service import ServiceView
from schemas.events import (
    CampaignClicked,
    CampaignOpened,
    CampaignSent,
    ContactLogged,
    CouponRedeemed,
    ReviewPosted,
    SurveyAnswered,
    TicketOpened,
    TicketResolved,
    WarrantyClaimed,
)
from tests.unit.projections.histories import common, day, fold

DEFAULT = Parameters()


def ticket(at: int, ticket_id: str, kind: type[Any] = TicketOpened) -> Any:
    return kind(**common(at), ticket_id=ticket_id)


def served(*events: Any) -> ServiceView:
    return service.view(fold(service, list(events)), day(0), DEFAULT)


def test_a_ticket_is_open_until_it_is_resolved() -> None:
    """In whatever order the two ends come; hours are those between them."""
    opened, other, resolved = ticket(day(0), "a"), ticket(day(0), "b"), ticket(day(2), "a", TicketResolved)
    for events in ([opened, other, resolved], [resolved, other, opened]):
        seen = served(*events)
        assert (seen.tickets, seen.open_tickets, seen.mean_hours_to_resolve) == (2, 1, 48.0)


def test_a_ticket_opened_again_is_open() -> None:
    """A resolution before the latest opening closes nothing."""
    seen = served(ticket(day(0), "a"), ticket(day(1), "a", TicketResolved), ticket(day(2), "a"))
    assert (seen.tickets, seen.open_tickets) == (2, 1)


def test_contacts_and_warranty_claims_add_up() -> None:
    """Contacts by kind, costs in the base currency, costs without a rate apart."""
    seen = served(
        *(ContactLogged(**common(day(n)), kind=kind) for n, kind in ((3, "call"), (1, "call"), (2, "mail"))),
        WarrantyClaimed(**common(day(0)), claim_id="1", sku="s", cost_minor=5_00, currency="USD"),
        WarrantyClaimed(**common(day(0)), claim_id="2", sku="s", cost_minor=7_00, currency="EUR"),
        WarrantyClaimed(**common(day(0)), claim_id="3", sku="s"),
    )
    assert (seen.contacts, seen.last_contact_at) == ({"call": 2, "mail": 1}, day(3))
    assert (seen.warranty_claims, seen.warranty_cost_minor, seen.unconverted) == (3, 5_00, {"EUR": 7_00})


def answer(at: int, score: float, kind: str = "nps", scale_max: int = 10) -> SurveyAnswered:
    return SurveyAnswered(**common(at), survey="s", question="q", kind=kind, score=score, scale_max=scale_max)


def test_net_promoter_is_promoters_less_detractors() -> None:
    """9 and 10 promote, 0 to 6 detract; the latest answer is the latest in event time."""
    events = [answer(day(n), score) for n, score in ((4, 10), (1, 9), (2, 7), (3, 6))]
    seen = feedback.view(fold(feedback, events), day(0), DEFAULT)
    assert seen.surveys == {"nps": SurveyView(answers=4, mean=0.8, latest=1.0, net_promoter=25.0)}


def test_scores_are_parts_of_their_scale() -> None:
    """4 of 5 is 0.8 of satisfaction; only nps has a net promoter score."""
    seen = feedback.view(fold(feedback, [answer(day(0), 4, "csat", 5)]), day(0), DEFAULT)
    assert seen.surveys == {"csat": SurveyView(1, 0.8, 0.8, None)}


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_changes_nothing(score: float) -> None:
    """One such score would spoil every mean after it."""
    assert fold(feedback, [answer(day(0), score)]) is feedback.ZERO


def test_a_scale_without_length_changes_nothing() -> None:
    """A scale from 0 to 0 has no scores."""
    assert fold(feedback, [answer(day(0), 0, scale_max=0)]) is feedback.ZERO


def test_reviews_are_parts_of_the_most_stars() -> None:
    """5 of 5 and 5 of 10 stars are 0.75 in the mean."""
    events = [
        ReviewPosted(**common(day(2)), review_id="1", rating=5),
        ReviewPosted(**common(day(1)), review_id="2", rating=5, rating_max=10),
    ]
    seen = feedback.view(fold(feedback, events), day(0), DEFAULT)
    assert (seen.reviews, seen.mean_rating, seen.latest_rating) == (2, 0.75, 1.0)


def test_an_open_by_a_machine_is_no_open() -> None:
    """Rates are of what the customer did; the latest sends are told with their times."""
    events = [
        CampaignSent(**common(day(2)), campaign_id="b"),
        CampaignSent(**common(day(1)), campaign_id="a"),
        CampaignOpened(**common(day(3)), campaign_id="a", is_automatic=True),
        CampaignOpened(**common(day(4)), campaign_id="b"),
        CampaignClicked(**common(day(5)), campaign_id="b"),
        CouponRedeemed(**common(day(6)), coupon="SPRING"),
    ]
    seen = campaigns.view(fold(campaigns, events), day(0), DEFAULT)
    assert seen.counts == {"sent": 2, "opened": 1, "opened_by_machine": 1, "clicked": 1, "redeemed": 1}
    assert (seen.open_rate, seen.click_rate, seen.sent_at) == (0.5, 0.5, (day(1), day(2)))
    assert (seen.last_at["sent"], seen.last_at["redeemed"]) == (day(2), day(6))
