"""What may a field hold, beyond its Avro type? Read from the .avsc files for the codec and the JSON form."""

from typing import Any, Literal, NamedTuple, cast

from schemas.files import EVENT_FILES, newest

Kind = Literal[
    "string",
    "uuid",
    "currency",
    "bytes",
    "boolean",
    "int",
    "long",
    "money",
    "double",
    "at",
    "on",
    "map",
    "array",
    "record",
]

MAX_MINOR = 10**15  # so that sums of any history stay within 64 bits
MAX_AT = 10_413_791_999_999  # 2299-12-31T23:59:59.999Z, the last that ClickHouse's DateTime64 holds
MIN_ON, MAX_ON = -25_567, 120_529  # 1900-01-01 to 2299-12-31, what ClickHouse's Date32 holds
MAX_TEXT = 4096
MAX_NAME = 128
MAX_KEYS = 64
MAX_ITEMS = 1000
MAX_DOUBLE = 1.7976931348623157e308

BOUNDS: dict[str, tuple[float, float]] = {
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**53) + 1, 2**53 - 1),  # what JSON numbers hold exactly
    "money": (0, MAX_MINOR),
    "double": (-MAX_DOUBLE, MAX_DOUBLE),
    "at": (0, MAX_AT),
    "on": (MIN_ON, MAX_ON),
}


class Field(NamedTuple):
    name: str
    kind: Kind
    nullable: bool
    required: bool  # has no default
    default: Any
    low: float  # numbers: the least and the greatest value
    high: float
    max_length: int  # strings, and the items of arrays and maps of strings
    one_of: tuple[str, ...]
    item: "Field | None"  # arrays: what each item is
    record: "Record | None"  # records: what is inside
    pii: bool


class Record(NamedTuple):
    name: str
    domain: str
    doc: str
    fields: tuple[Field, ...]


def _kind(name: str, avro: Any) -> Kind:
    match avro:
        case {"logicalType": "timestamp-millis"}:
            return "at"
        case {"logicalType": "date"}:
            return "on"
        case {"logicalType": "uuid"}:
            return "uuid"
        case {"type": "array" | "map" | "record" as kind}:
            return cast(Kind, kind)
        case "string" if name in ("currency", "base_currency"):
            return "currency"
        case "long" if name.endswith("_minor"):
            return "money"
        case "string" | "bytes" | "boolean" | "int" | "long" | "double":
            return cast(Kind, avro)
    raise ValueError(f"field {name!r} has the Avro type {avro!r}: use one that schemas/rules.py knows")


def _field(domain: str, avro: dict[str, Any]) -> Field:
    name, written = avro["name"], avro["type"]
    nullable = isinstance(written, list)
    inner = next(t for t in written if t != "null") if nullable else written
    kind = _kind(name, inner)
    low, high = BOUNDS.get(kind, (0, 0))
    return Field(
        name=name,
        kind=kind,
        nullable=nullable,
        required="default" not in avro,
        default=() if kind == "array" else avro.get("default"),
        low=avro.get("minimum", low),
        high=avro.get("maximum", high),
        max_length=avro.get("max_length", MAX_TEXT),
        one_of=tuple(avro.get("one_of", ())),
        item=_field(domain, {**avro, "type": inner["items"]}) if kind == "array" else None,
        record=_record(domain, inner) if kind == "record" else None,
        pii=avro.get("pii", False),
    )


def _record(domain: str, avro: dict[str, Any]) -> Record:
    return Record(avro["name"], domain, avro["doc"], tuple(_field(domain, field) for field in avro["fields"]))


RECORDS: dict[str, Record] = {file.name: _record(file.domain, file.schema) for file in newest(EVENT_FILES)}
