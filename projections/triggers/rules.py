"""Which segments and triggers are there, and what does each say? The types of both files."""

import re
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from projections.triggers.expressions import Expression, compiled

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\Z")]
Clock24 = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]

NO_CONSENT_NEEDED = "none"
MESSAGES_TOPIC = "headwater.messages"
CAPS_AT_MOST = 64  # sends that a customer's row remembers
DURATION = re.compile(r"^([0-9]{1,5})(m|h|d)\Z")
UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Segment(Struct, frozen=True, forbid_unknown_fields=True):
    """Customers for whom the expression `where` is true."""

    name: Name
    where: str
    description: str = ""

    @property
    def expression(self) -> Expression:
        return compiled(self.where)


class On(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """The change that a trigger waits for; `from` and `to` are values, or lists of them; none is any."""

    change: Literal["stage", "segment", "score"]
    segment: str = ""
    target: str = ""
    from_: str | tuple[str, ...] = ()
    to: str | tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """Which segment or target it is about."""
        return self.segment or self.target


class Action(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the message goes: one of a webhook's URL, the topic headwater.messages, a file (for tests).

    `secret` names the webhook's signing secret, which HEADWATER_WEBHOOK_SECRET_<NAME> or a file holds.
    """

    webhook: str = ""
    secret: Name = "default"  # noqa: S105  # its name
    topic: str = ""
    file: str = ""

    @property
    def endpoint(self) -> str:
        """What a receipt says of where to: never a path or a query, which may hold a secret."""
        if not self.webhook:
            return self.topic or self.file
        url = urlsplit(self.webhook)
        return f"{url.scheme}://{url.netloc}"


class Cap(Struct, frozen=True, forbid_unknown_fields=True):
    """At most `count` a customer, in `days` that roll, or in each calendar day, week or month (UTC)."""

    count: Annotated[int, Meta(ge=1, le=CAPS_AT_MOST)]
    days: Annotated[int, Meta(ge=1, le=3660)] | None = None
    per: Literal["day", "week", "month"] | None = None


class QuietHours(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Hours of the customer's local time in which nothing is sent: from `from` up to, not including, `to`."""

    from_: Clock24
    to: Clock24
    policy: Literal["requeue", "drop"] = "requeue"


class Trigger(Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of triggers.toml. See docs/triggers.md for what each key does."""

    name: Name
    on: On
    action: Action
    consent: str  # "channel/purpose", or "none" for an internal system
    holdout: Annotated[float, Meta(ge=0, le=1)]  # share that is decided and recorded, and not sent
    where: str = ""
    template: dict[str, str] = {}  # field of the message: expression
    priority: int = 0
    review: bool = False
    review_within: str = "24h"
    cap: Cap | None = None
    quiet_hours: QuietHours | None = None
    default_timezone: str | None = None
    max_age: str = "24h"  # or "off"
    salt: str = ""  # of the holdout; by default the name
    outcome_days: Annotated[int, Meta(ge=1, le=3660)] = 30
    goal: str = "OrderPlaced"  # event that uplift counts
    retract: bool = False  # whether a corrected transition is taken back

    @property
    def max_age_ms(self) -> int | None:
        """None where transitions of any age count."""
        return None if self.max_age == "off" else duration_ms(self.max_age)

    @property
    def review_within_ms(self) -> int:
        return duration_ms(self.review_within)

    @property
    def channel_and_purpose(self) -> tuple[str, str] | None:
        """The consent that must be granted; None for an internal system."""
        if self.consent == NO_CONSENT_NEEDED:
            return None
        channel, _, purpose = self.consent.partition("/")
        return channel, purpose


class Rules(Struct, frozen=True):
    """Both files. Triggers are in the order in which they are decided: by priority, then by name."""

    segments: tuple[Segment, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    cap: Cap | None = None  # across all triggers

    def trigger(self, name: str) -> Trigger | None:
        return next((each for each in self.triggers if each.name == name), None)

    @property
    def reads_scores(self) -> bool:
        """Whether a segment or a decision can depend on a score."""
        expressions = [each.where for each in self.segments]
        expressions += [each.where for each in self.triggers if each.where]
        return any(each.on.change == "score" for each in self.triggers) or any(
            compiled(each).reads_scores for each in expressions
        )


def duration_ms(text: str) -> int:
    """'30m', '24h' or '7d' in ms; raises ValueError."""
    if (found := DURATION.match(text)) is None:
        raise ValueError(f"{text!r} is no duration: write 30m, 24h or 7d")
    return int(found[1]) * UNIT_MS[found[2]]


def values(said: str | tuple[str, ...]) -> tuple[str, ...]:
    """A value or a list of them, as a list."""
    return (said,) if isinstance(said, str) else said


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """The time zone of that name; None where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
