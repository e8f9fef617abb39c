"""Can segments.toml and triggers.toml be used? Each fault is told with its file and line."""

import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from projections.lifecycle import STAGES
from projections.parameters import Marketing
from projections.scoring.bands import BANDS
from projections.scoring.targets import TARGETS
from projections.triggers.expressions import compiled
from projections.triggers.rules import (
    CAPS_AT_MOST,
    MESSAGES_TOPIC,
    Action,
    Cap,
    Rules,
    Segment,
    Trigger,
    values,
    zone,
)
from schemas.events import EVENT_TYPES, CustomerEvent

T = TypeVar("T")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.jsonl\Z")  # none of the engine's own
LABEL_AT_MOST = 63  # characters, in DNS
MAX_BYTES = 128 << 10  # of a file


class BadTriggers(ValueError):
    """The files cannot be used; the message names the file and the line, and says what to change."""


class _SegmentsFile(Struct, forbid_unknown_fields=True):
    segment: tuple[Segment, ...] = ()


class _TriggersFile(Struct, forbid_unknown_fields=True):
    trigger: tuple[Trigger, ...] = ()
    cap: Cap | None = None


@lru_cache(maxsize=16)
def parse(segments: str, triggers: str) -> Rules:
    """The rules that both texts say; raises BadTriggers."""
    segment_file = _read("segments.toml", "segment", segments, _SegmentsFile)
    trigger_file = _read("triggers.toml", "trigger", triggers, _TriggersFile)
    names = _unique("segments.toml", "segment", segments, [each.name for each in segment_file.segment])
    for place, segment in enumerate(segment_file.segment):
        with _At("segments.toml", segments, "segment", place, "where"):
            if "segments" in compiled(segment.where).names:
                raise ValueError("a segment cannot depend on segments: write the whole expression")
    _unique("triggers.toml", "trigger", triggers, [each.name for each in trigger_file.trigger])
    for place, trigger in enumerate(trigger_file.trigger):
        for key, check in _CHECKS.items():
            with _At("triggers.toml", triggers, "trigger", place, key):
                check(trigger, names)
    given = [trigger_file.cap, *(each.cap for each in trigger_file.trigger)]
    caps = [cap for cap in given if cap is not None]
    with _At("triggers.toml", triggers, "", 0, "cap"):
        for cap in caps:
            _check_cap(cap)
        if (total := sum(cap.count for cap in caps)) > CAPS_AT_MOST:
            raise ValueError(
                f"the counts of all caps add up to {total}: a customer's row remembers {CAPS_AT_MOST} sends, "
                "so lower some"
            )
    ordered = sorted(trigger_file.trigger, key=lambda each: (-each.priority, each.name))
    return Rules(segment_file.segment, tuple(ordered), trigger_file.cap)


def receivers(triggers: str) -> list[tuple[int, Action]]:
    """The webhooks of a triggers.toml that was parsed, each with the line of its action."""
    given = _read("triggers.toml", "trigger", triggers, _TriggersFile).trigger
    return [
        (_line(triggers, "trigger", place, "action"), each.action)
        for place, each in enumerate(given)
        if each.action.webhook
    ]


def in_force(marketing: Marketing) -> Rules:
    """The rules that were told; none where this version cannot read what an earlier one could."""
    try:
        return parse(marketing.segments, marketing.triggers)
    except BadTriggers:
        return Rules()


def version_of(segments: str, triggers: str, clock: str) -> str:
    """The version of the rules: a digest of both files and the clock."""
    return hashlib.sha256(msgspec.json.encode((segments, triggers, clock))).hexdigest()[:12]


def _check_goal(trigger: Trigger, segments: set[str]) -> None:
    del segments
    if trigger.goal not in EVENT_TYPES or not issubclass(EVENT_TYPES[trigger.goal], CustomerEvent):
        raise ValueError(f"goal {trigger.goal!r} is no event of customers: name one, as OrderPlaced")


def _check_on(trigger: Trigger, segments: set[str]) -> None:
    on = trigger.on
    known: dict[str, tuple[str, ...]] = {
        "stage": STAGES,
        "segment": ("in", "out"),
        "score": tuple(BANDS),
    }
    if (on.change == "segment") != bool(on.segment) or (on.change == "score") != bool(on.target):
        raise ValueError(
            'name what changes: { change = "stage" }, { change = "segment", segment = "…" } or '
            '{ change = "score", target = "…" }'
        )
    if on.change == "segment" and on.segment not in segments:
        raise ValueError(f"segment {on.segment!r} is not in segments.toml: {_one_of(segments)}")
    if on.change == "score" and on.target not in TARGETS:
        raise ValueError(f"target {on.target!r} is not predicted: {_one_of(TARGETS)}")
    for value in (*values(on.from_), *values(on.to)):
        if value not in known[on.change]:
            raise ValueError(f"{value!r} is no {on.change}: {_one_of(known[on.change])}")
    if trigger.retract and on.change != "stage":
        raise ValueError("only changes of stage are corrected: remove retract")


def _check_where(trigger: Trigger, segments: set[str]) -> None:
    del segments
    if trigger.where:
        compiled(trigger.where)


def _check_template(trigger: Trigger, segments: set[str]) -> None:
    del segments
    for expression in trigger.template.values():
        compiled(expression)


def _check_action(trigger: Trigger, segments: set[str]) -> None:
    del segments
    action = trigger.action
    if sum(map(bool, (action.webhook, action.topic, action.file))) != 1:
        raise ValueError("an action is one of webhook, topic and file: name exactly one")
    if action.topic and action.topic != MESSAGES_TOPIC:
        raise ValueError(f"topic {action.topic!r} is not for messages: use {MESSAGES_TOPIC!r}")
    if action.file and not FILE.match(action.file):
        raise ValueError(f"file {action.file!r}: name one in the data directory, as messages.jsonl")
    if action.webhook:
        _check_url(action.webhook)


def _check_url(text: str) -> None:
    """What can be said of a URL without asking anybody: a name is resolved when it is called."""
    url = urlsplit(text)
    host = url.hostname or ""
    if url.scheme not in ("https", "http") or not host:
        raise ValueError(f"{text!r} is no URL of a webhook: write https://host/path")
    if not host.isascii() or len(max(host.split("."), key=len)) > LABEL_AT_MOST:
        raise ValueError(f"{host!r} is no name of a host: write it as DNS has it, in ASCII")
    _ = url.port  # which says what is wrong with it
    if url.username or url.password:
        raise ValueError("the URL holds a user or a password: leave them out, for messages are signed")
    is_loopback = host == "localhost"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        is_loopback = address.is_loopback
        if not address.is_global and not is_loopback:
            raise ValueError(f"{host} is a private address: name a public one")
    if url.scheme == "http" and not is_loopback:
        raise ValueError("messages go over https alone, but to this machine: write https://")


def _check_consent(trigger: Trigger, segments: set[str]) -> None:
    del segments
    if (needed := trigger.channel_and_purpose) is not None and not (all(needed) and "*" not in needed):
        raise ValueError(f"consent {trigger.consent!r}: write channel/purpose, as email/marketing, or none")


def _check_quiet_hours(trigger: Trigger, segments: set[str]) -> None:
    del segments
    quiet = trigger.quiet_hours
    if quiet is None:
        return
    if quiet.from_ == quiet.to:
        raise ValueError("quiet hours begin and end at one time: nothing could ever be sent, so change one")
    if trigger.default_timezone is None:
        raise ValueError(
            "quiet hours need default_timezone, for customers without the trait timezone: name one, as "
            "Europe/Paris"
        )


def _check_timezone(trigger: Trigger, segments: set[str]) -> None:
    del segments
    if trigger.default_timezone is not None and zone(trigger.default_timezone) is None:
        raise ValueError(f"{trigger.default_timezone!r} is no time zone: name one as Asia/Tokyo")


def _check_max_age(trigger: Trigger, segments: set[str]) -> None:
    del segments
    _ = trigger.max_age_ms


def _check_review(trigger: Trigger, segments: set[str]) -> None:
    del segments
    _ = trigger.review_within_ms


_CHECKS = {  # by the key that a fault is told at
    "goal": _check_goal,
    "on": _check_on,
    "where": _check_where,
    "template": _check_template,
    "action": _check_action,
    "consent": _check_consent,
    "quiet_hours": _check_quiet_hours,
    "default_timezone": _check_timezone,
    "max_age": _check_max_age,
    "review_within": _check_review,
}


def _check_cap(cap: Cap) -> None:
    if (cap.days is None) == (cap.per is None):
        raise ValueError("a cap is in days that roll or per day, week or month: write one of days and per")


def _one_of(names: Iterable[str]) -> str:
    return f"use one of {', '.join(sorted(names))}" if names else "there is none"


def _unique(file: str, table: str, text: str, names: list[str]) -> set[str]:
    for place, name in enumerate(names):
        with _At(file, text, table, place, "name"):
            if name in names[:place]:
                raise ValueError(f"two are named {name!r}: rename one")
    return set(names)


def _read(file: str, table: str, text: str, kind: type[T]) -> T:
    if len(text.encode()) > MAX_BYTES:
        raise BadTriggers(f"{file}: it has {len(text):,} characters: write at most {MAX_BYTES:,} bytes.")
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except RecursionError as error:
        raise BadTriggers(f"{file}: its values are nested too deep: correct it.") from error
    except tomllib.TOMLDecodeError as error:  # which says the line
        raise BadTriggers(f"{file}: {error}: correct it.") from error
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        found = re.search(rf"\$\.{table}\[(\d+)\](?:\.(\w+))?", path)
        place, key = (int(found[1]), found[2] or "") if found else (0, "")
        line = _line(text, table if found else "", place, key or _missing(message))
        said = f" ({path.strip('`').removeprefix('$.')})" if path else ""
        raise BadTriggers(f"{file}:{line}: {message}{said}: correct it.") from error


def _missing(message: str) -> str:
    """The key that the message is about, where it names one."""
    found = re.search(r"`(\w+)`", message)
    return found[1] if found else ""


class _At:
    """Tells where in the file a ValueError is from."""

    def __init__(self, file: str, text: str, table: str, place: int, key: str) -> None:
        self._where = (file, text, table, place, key)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError) and not isinstance(error, BadTriggers):
            file, text, table, place, key = self._where
            raise BadTriggers(f"{file}:{_line(text, table, place, key)}: {error}.") from error


def _line(text: str, table: str, place: int, key: str) -> int:
    """The line (from 1) of a key of the `place`-th table of an array, else of the table's head."""
    begun, head = -1, 1
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[", line):
            begun += re.match(rf"\s*\[\[\s*{table}\s*\]\]", line) is not None if table else 0
            if table and begun == place and re.match(rf"\s*\[\[\s*{table}\s*\]\]", line):
                head = number
            if begun == place and re.match(rf"\s*\[\s*{table}\.{key}\b", line):
                return number
        if (begun == place or not table) and re.match(rf"\s*{key}\b\s*[.=]", line) and key:
            return number
    return head
