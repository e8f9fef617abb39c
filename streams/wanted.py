"""What is to be in force, by the files and variables of this process? Read and checked before it is told."""

import hashlib
import tomllib
from pathlib import Path
from typing import NamedTuple, get_type_hints

import msgspec

from projections.parameters import Marketing, Rules, Scoring
from projections.scoring.target import BadTargets, check
from projections.scoring.targets import TARGETS
from projections.triggers.files import BadTriggers, parse, version_of
from streams.settings import Settings

MAX_DAYS = 36_500


class BadRules(Exception):
    """The lifecycle rules file cannot be used; the message says what to change."""


class Wanted(NamedTuple):
    """None keeps what is in force."""

    rules: Rules | None = None
    scoring: tuple[Scoring, bool] | None = None  # and whether somebody said so
    marketing: Marketing | None = None


def load(settings: Settings) -> Wanted:
    """All of it; raises BadRules, BadTargets, BadTriggers."""
    return Wanted(load_rules(settings), load_scoring(settings), load_marketing(settings))


def load_rules(settings: Settings) -> Rules | None:
    """The rules in the lifecycle.toml, whose version is the digest of its contents; None without the file.

    Raises BadRules, also where a file is named that is not there.
    """
    path = settings.lifecycle or settings.data_dir / "lifecycle.toml"
    if not path.exists():
        if settings.lifecycle is not None:
            raise BadRules(f"HEADWATER_LIFECYCLE names {path}, which is not there: write it, or unset it.")
        return None
    content = path.read_bytes()
    types = get_type_hints(Rules)
    try:
        given = tomllib.loads(content.decode())
        for name, value in given.items():
            if name not in types or name == "version":
                raise BadRules(f"{path}: {name!r} is no lifecycle rule: remove it or correct its name.")
            if type(value) is int and not 1 <= value <= MAX_DAYS:
                raise BadRules(f"{path}: {name} is {value}: give a whole number of days, 1 to {MAX_DAYS}.")
            msgspec.convert(value, types[name])
    except (ValueError, msgspec.ValidationError) as error:
        raise BadRules(f"{path}: {error}: correct the file.") from error
    rules = Rules(**given, version=hashlib.sha256(content).hexdigest()[:12])
    if not rules.active_days <= rules.at_risk_days <= rules.dormant_days:
        raise BadRules(f"{path}: active_days, at_risk_days and dormant_days must not fall: reorder them.")
    return rules


def load_scoring(settings: Settings) -> tuple[Scoring, bool]:
    """What is to be predicted, and whether somebody said so: else what is in force stays.

    Raises BadTargets.
    """
    for name in settings.scored_targets:
        if name not in TARGETS:
            raise BadTargets(
                f"HEADWATER_TARGETS names {name!r}: use names of {', '.join(sorted(TARGETS))}, or leave it "
                "empty for no scores."
            )
        check(TARGETS[name])
    said = settings.model_fields_set & {"targets", "ask_days", "ask_percent"}
    return Scoring(settings.scored_targets, settings.ask_days, settings.ask_percent), bool(said)


def load_marketing(settings: Settings) -> Marketing | None:
    """What segments.toml and triggers.toml say; None without either. Raises BadTriggers."""
    segments = _text(settings.segments, settings.data_dir / "segments.toml", "HEADWATER_SEGMENTS")
    triggers = _text(settings.triggers, settings.data_dir / "triggers.toml", "HEADWATER_TRIGGERS")
    if segments is None and triggers is None:
        return None
    return marketing_of(segments or "", triggers or "", settings)


def marketing_of(segments: str, triggers: str, settings: Settings) -> Marketing:
    """Both texts, once they were checked; raises BadTriggers."""
    parse(segments, triggers)
    return Marketing(version_of(segments, triggers, settings.clock), segments, triggers, settings.clock)


def _text(named: Path | None, default: Path, variable: str) -> str | None:
    """The text of the file that is named, or of the default if there is one."""
    path = named or default
    if named is None and not path.exists():
        return None
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadTriggers(f"{variable} names {path}, which cannot be read: write it, or unset it.") from error
