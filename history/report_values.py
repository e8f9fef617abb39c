"""Which value does a parameter of a report have? What is given, checked against what is declared."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeAlias
from zoneinfo import available_timezones

from msgspec import Struct

Value: TypeAlias = int | float | str | date | None
INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LONGEST_TEXT = 1_000
FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2299, 12, 31)  # of ClickHouse


class BadParameter(ValueError):
    """A parameter is unknown or its value cannot be; the message says what to do about `name`."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be asked for: without a default, nothing given is null, which means all."""

    name: str
    kind: Literal["integer", "number", "text", "date", "choice"]
    means: str
    default: Any = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises BadParameter where the declaration contradicts itself."""
        numeric = self.kind in {"integer", "number"}
        if self.kind == "choice" and not self.choices:
            raise BadParameter(f"{self.name} has no choices", self.name)
        if self.kind != "choice" and self.choices:
            raise BadParameter(f"{self.name} has choices but is of kind {self.kind}", self.name)
        if not numeric and (self.minimum is not None or self.maximum is not None):
            raise BadParameter(f"{self.name} has a bound but is of kind {self.kind}", self.name)
        if numeric and self.default is None:
            raise BadParameter(f"{self.name} has no default", self.name)
        self.value(self.default)

    def value(self, given: object) -> Value:
        """What is given, as text or as itself, as a value of this kind; raises BadParameter."""
        if given is None:
            return None
        match self.kind:
            case "integer":
                return self._bounded(self._integer(given))
            case "number":
                return self._bounded(self._number(given))
            case "date":
                return self._date(given)
            case _:
                return self._text(given)

    def _integer(self, given: object) -> int:
        if isinstance(given, str) and INTEGER.fullmatch(given):
            return int(given)
        if not isinstance(given, int) or isinstance(given, bool):
            raise self._not("a whole number", given)
        if abs(given) >= 10**18:
            raise BadParameter(f"{self.name} has more than 18 digits: leave some out.", self.name)
        return given

    def _number(self, given: object) -> float:
        if isinstance(given, bool) or not isinstance(given, int | float | str):
            raise self._not("a number", given)
        try:
            number = float(given)
        except (ValueError, OverflowError):
            raise self._not("a number", given) from None
        if not math.isfinite(number):
            raise self._not("a finite number", given)
        return number

    def _bounded(self, number: int | float) -> int | float:
        if self.minimum is not None and number < self.minimum:
            raise self._not(f"at least {self.minimum}", number)
        if self.maximum is not None and number > self.maximum:
            raise self._not(f"at most {self.maximum}", number)
        return number

    def _date(self, given: object) -> date:
        if isinstance(given, str) and DATE.fullmatch(given):
            try:
                given = date.fromisoformat(given)
            except ValueError:
                raise self._not("a date that exists", given) from None
        if type(given) is not date:  # a datetime is a date too
            raise self._not("a date, such as 2026-01-31", given)
        if not FIRST_DATE <= given <= LAST_DATE:
            raise self._not("from 1900 to 2299", given)
        return given

    def _text(self, given: object) -> str:
        if not isinstance(given, str):
            raise self._not("text", given)
        if self.kind == "choice" and given not in self.choices:
            raise BadParameter(
                f"{self.name} cannot be {given[:80]!r}: {nearest(given, self.choices)}.", self.name
            )
        if len(given) > LONGEST_TEXT:
            raise BadParameter(
                f"{self.name} has {len(given):,} characters: shorten it to {LONGEST_TEXT:,}.", self.name
            )
        try:
            given.encode()
        except UnicodeEncodeError:
            raise self._not("Unicode text", given) from None
        return given

    def _not(self, wanted: str, given: object) -> BadParameter:
        return BadParameter(f"{self.name} must be {wanted}, not {str(given)[:80]!r}.", self.name)


def values(parameters: Iterable[Parameter], given: Mapping[str, object]) -> dict[str, Value]:
    """Each parameter's value, given or default, which null stands for; raises BadParameter."""
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise BadParameter(
                f"There is no parameter {name[:80]!r}: {nearest(name, [*known, 'as_of', 'timezone'])}.", name
            )
    told = {name: value for name, value in given.items() if value is not None}
    return {name: parameter.value(told.get(name, parameter.default)) for name, parameter in known.items()}


def check_timezone(name: str) -> None:
    """Raises BadParameter for a name that is not in the time zone database."""
    if name not in (zones := _zones()):
        raise BadParameter(f"There is no time zone {name[:80]!r}: {nearest(name, zones)}.", "timezone")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def nearest(word: str, known: Iterable[str]) -> str:
    """What to use instead of a word that is not known, as the end of a sentence."""
    known = sorted(known)
    folded = {each.lower(): each for each in known}
    close = [folded[each] for each in get_close_matches(word[:80].lower(), folded, n=3, cutoff=0.5)]
    offered = close or known
    if not offered:
        return "leave it out"
    return f"use {', '.join(offered[:12])}{' or another' if len(offered) > 12 else ''}"
