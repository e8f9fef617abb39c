"""What may be asked without SQL? A form: measures of a module, by dimensions, of what filters let through.

docs/own-reports.md says what each member means. Here is its shape; history/own_sql.py makes a query of it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from history.guard import QueryRefused
from history.report_values import nearest

MAX_COLUMNS = 20
MAX_FILTERS = 50
MAX_VALUES = 1_000

Word = Annotated[str, Meta(max_length=256)]
Name = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}\Z")]  # of a column of the answer

MEASURES = ("count", "count_distinct", "sum", "mean", "min", "max", "median", "share")
GRAINS = ("day", "week", "month", "quarter", "year")
OPERATORS = (
    *("=", "!=", "in", "not_in", "<", "<=", ">", ">=", "between"),
    *("contains", "starts_with", "is_null", "not_null"),
)
COMPARISONS = ("previous_period", "previous_year")


class BadForm(QueryRefused):
    """The form asks for something that there is not; the message says what to write in `field`."""


class _Part(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the form, which has no members but its own."""


class Measure(_Part, frozen=True):
    measure: Word
    field: Word | None = None
    name: Name | None = None


class Dimension(_Part, frozen=True):
    field: Word
    grain: Word | None = None
    bins: float | Annotated[list[float], Meta(min_length=1, max_length=100)] | None = None
    name: Name | None = None


class Filter(_Part, frozen=True):
    field: Word
    op: Word = "="
    value: Any = UNSET
    values: Annotated[list[Any], Meta(min_length=1, max_length=MAX_VALUES)] | UnsetType = UNSET


class Period(_Part, frozen=True, rename={"first": "from", "last": "to"}):
    """Days of the report's timezone, both included."""

    field: Word
    first: Word
    last: Word


class Top(_Part, frozen=True):
    n: Annotated[int, Meta(ge=1, le=1_000)]
    dimension: Word | None = None
    by: Word | None = None
    others: bool = True


class Pivot(_Part, frozen=True):
    dimension: Word
    columns: Annotated[int, Meta(ge=1, le=50)] = 12


class Form(_Part, frozen=True, rename={"module": "from"}):
    module: Word
    measures: Annotated[list[Measure], Meta(min_length=1, max_length=MAX_COLUMNS)] = field(
        default_factory=lambda: [Measure("count")]
    )
    dimensions: Annotated[list[Dimension], Meta(max_length=6)] = []
    filters: Annotated[list[Filter], Meta(max_length=MAX_FILTERS)] = []
    period: Period | None = None
    compare: Word | None = None
    top: Top | None = None
    pivot: Pivot | None = None
    order: Annotated[list[Word], Meta(max_length=MAX_COLUMNS)] = []
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 10_000
    as_of: Word | None = None
    timezone: Word | None = None


def read(document: object) -> Form:
    """The form of a JSON document; raises BadForm."""
    try:
        return msgspec.convert(document, Form)
    except msgspec.ValidationError as error:
        raise _told(error) from error


def chosen(word: str, among: Iterable[str], what: str, where: str) -> str:
    """The word, if it is among those; raises BadForm with the nearest ones for what is none of them."""
    names = list(among)
    if word in names:
        return word
    raise BadForm(f"{what} {word[:80]!r}: {nearest(word, names)}.", where)


def _told(error: msgspec.ValidationError) -> BadForm:
    """The fault with the path in the form that it is at, and the members that there are."""
    text = str(error)
    what, _, at = text.partition(" - at `$")
    path = at.rstrip("`").replace("[...]", "").lstrip(".")
    unknown = re.search(r"unknown field `(.*)`$", what, re.DOTALL)
    if unknown is None:
        return BadForm(f"The form is not understood: {what[:200]}{f' in {path}' if path else ''}.", path)
    part = _part_at(path)
    names = [each.encode_name for each in msgspec.structs.fields(part)]
    word = unknown[1]
    told = f"The form has no {word[:80]!r}{f' in {path}' if path else ''}"
    return BadForm(f"{told}: {nearest(word, names)}.", ".".join(filter(None, (path, word[:80]))))


def _part_at(path: str) -> type[Struct]:
    """The Struct of a path such as dimensions[0]."""
    names = {each.encode_name: each.name for each in msgspec.structs.fields(Form)}
    first = re.split(r"[.\[]", path)[0]
    hint = get_type_hints(Form).get(names.get(first, ""), Form)
    return next(_parts_in(hint), Form)


def _parts_in(hint: Any) -> Iterator[type[Struct]]:
    if isinstance(hint, type) and issubclass(hint, _Part):
        yield hint
    for inner in getattr(hint, "__args__", ()):
        yield from _parts_in(inner)
