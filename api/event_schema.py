"""What may be posted? A JSON schema for each event, from the same .avsc files that the parser reads."""

from typing import Any

from schemas.form import GENERATED
from schemas.rules import MAX_ITEMS, MAX_KEYS, RECORDS, Field, Record

Schema = dict[str, Any]
DECIMAL: Schema = {"type": "string", "pattern": r"^\d{1,20}(\.\d{1,20})?$", "examples": ["25.99"]}
EXAMPLES: Schema = {
    "one": {
        "summary": "One order",
        "value": {
            "type": "OrderPlaced",
            "customer_id": "00004",
            "order_id": "A-1001",
            "amount": "25.99",
            "currency": "USD",
            "channel": "web",
        },
    },
    "several": {
        "summary": "A list, all or none",
        "value": [
            {"type": "CustomerRegistered", "customer_id": "ada", "traits": {"email": "ada@example.com"}},
            {"type": "PageViewed", "customer_id": "ada", "url": "https://shop.example/hats"},
        ],
    },
}


def event_schemas() -> dict[str, Schema]:
    """Components by name: one for each event that may be posted, and `Event` for any of them."""
    posted = {name: record for name, record in RECORDS.items() if record.domain != "engine"}
    choice = {
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in posted],
        "discriminator": {"propertyName": "type"},
    }
    return {"Event": choice} | {name: _event(record) for name, record in posted.items()}


def _event(record: Record) -> Schema:
    schema = _object(record.fields, record.doc)
    schema["properties"] = {"type": {"const": record.name}} | schema["properties"]
    schema["required"] = ["type", *(name for name in schema["required"] if name not in GENERATED)]
    return schema


def _object(fields: tuple[Field, ...], doc: str) -> Schema:
    properties: Schema = {}
    required: list[str] = []
    choices: list[Schema] = []
    for field in fields:
        properties[field.name] = _nullable(_value(field), field)
        if field.kind == "money":
            decimal = field.name.removesuffix("_minor")
            properties[decimal] = _nullable(DECIMAL, field)
            if field.required:
                choices.append({"oneOf": [{"required": [decimal]}, {"required": [field.name]}]})
        elif field.required:
            required.append(field.name)
    schema: Schema = {
        "type": "object",
        "description": doc,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return schema | ({"allOf": choices} if choices else {})


def _nullable(schema: Schema, field: Field) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]} if field.nullable else schema


def _value(field: Field) -> Schema:
    match field.kind:
        case "array" if field.item is not None:
            return {"type": "array", "maxItems": MAX_ITEMS, "items": _value(field.item)}
        case "record" if field.record is not None:
            return _object(field.record.fields, field.record.doc)
        case "map":
            text = {"type": "string", "maxLength": field.max_length}
            return {"type": "object", "maxProperties": MAX_KEYS, "additionalProperties": text}
        case "string" if field.one_of:
            return {"enum": list(field.one_of)}
        case "string":
            least = 1 if field.required or field.name.endswith("_id") else 0
            return {"type": "string", "minLength": least, "maxLength": field.max_length}
        case "int" | "long" | "money":
            return {"type": "integer", "minimum": field.low, "maximum": field.high}
    simple: dict[str, Schema] = {
        "uuid": {"type": "string", "format": "uuid"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]},
        "bytes": {"type": "string", "contentEncoding": "base64"},
        "boolean": {"type": "boolean"},
        "double": {"type": "number", "minimum": field.low, "maximum": field.high},
        "at": {"type": "string", "format": "date-time"},
        "on": {"type": "string", "format": "date"},
    }
    return simple[field.kind]
