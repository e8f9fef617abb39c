"""When may a message be sent? The customer's quiet hours, and how many were sent of late."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from projections.compact import Latest, hash64
from projections.times import DAY_MS
from projections.triggers.rules import CAPS_AT_MOST, Cap, QuietHours, Rules, Trigger, zone

MINUTE_MS = 60_000
SENDS = Latest("QQ", limit=CAPS_AT_MOST)  # stream time, hash of the trigger's name


def timezone(trait: str | None, default: str | None) -> ZoneInfo | None:
    """The customer's time zone: the trait's, else the trigger's default."""
    return (zone(trait) if trait else None) or (zone(default) if default else None)


def quiet_until(quiet: QuietHours, where: ZoneInfo, now_ms: int) -> int | None:
    """When the quiet hours end in which `now_ms` lies; None where it lies in none.

    By the clock on the customer's wall: an hour that a clock skips or repeats is skipped or repeated.
    """
    if not is_quiet(quiet, where, now_ms):
        return None
    local = datetime.fromtimestamp(now_ms / 1000, where)
    hour, minute = map(int, quiet.to.split(":"))
    for days in range(3):
        end = local.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None) + timedelta(days)
        for fold in (0, 1):  # a clock that is set back shows the end twice
            at = int(end.replace(tzinfo=where, fold=fold).timestamp() * 1000)
            if at > now_ms and not is_quiet(quiet, where, at):
                while not is_quiet(quiet, where, at - MINUTE_MS):  # a clock that is set forward skips it
                    at -= MINUTE_MS
                return at
    raise AssertionError(f"quiet hours {quiet} have no end in {where}")


def is_quiet(quiet: QuietHours, where: ZoneInfo, at_ms: int) -> bool:
    shown = datetime.fromtimestamp(at_ms / 1000, where).strftime("%H:%M")
    if quiet.from_ < quiet.to:
        return quiet.from_ <= shown < quiet.to
    return shown >= quiet.from_ or shown < quiet.to


def counted_since(cap: Cap, now_ms: int) -> int:
    """The first moment (ms, stream time) whose sends count against the cap now."""
    if cap.days is not None:
        return now_ms - cap.days * DAY_MS + 1
    today = datetime.fromtimestamp(now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match cap.per:
        case "week":
            first = today - timedelta(days=today.weekday())
        case "month":
            first = today.replace(day=1)
        case _:
            first = today
    return int(first.timestamp() * 1000)


def used(sends: bytes, waiting: list[str], cap: Cap, trigger: str | None, now_ms: int) -> int:
    """How many sends count against a cap; what waits counts always. `trigger` None is the cap of all."""
    since, wanted = counted_since(cap, now_ms), None if trigger is None else hash64(trigger)
    sent: int = sum(at >= since and wanted in (None, name) for at, name in SENDS.items(sends))
    return sent + sum(trigger in (None, name) for name in waiting)


def noted(sends: bytes, rules: Rules, trigger: Trigger, now_ms: int) -> bytes:
    """The sends with one more, as far as a cap can ask for them: the latest of each trigger, and of all."""
    if rules.cap is None and trigger.cap is None:
        return sends
    counts = {hash64(each.name): each.cap.count for each in rules.triggers if each.cap is not None}
    of_all = 0 if rules.cap is None else rules.cap.count
    kept = []
    for at, name in reversed(SENDS.items(SENDS.add(sends, now_ms, hash64(trigger.name)))):
        if of_all > 0 or counts.get(name, 0) > 0:
            kept.append((at, name))
        of_all -= 1
        counts[name] = counts.get(name, 0) - 1
    pruned = b""
    for at, name in reversed(kept):
        pruned = SENDS.add(pruned, at, name)
    return pruned
