"""How is a record of one schema read and written fast? By two functions, made from the schema.

fastavro walks the schema at each record, and was more than half of a small fold's time (docs/adr/0002). These
functions have the walk behind them: what they read and write is Avro's binary encoding as fastavro does it,
which tests/unit/schemas/test_compiled.py holds them to.
"""

import re
import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

E = TypeVar("E")
Read = Callable[[bytes, int], tuple[dict[str, Any], int]]
ReadInto = Callable[[bytes, int], tuple[E, int]]
Write = Callable[[Any], bytes]

ID_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]+\Z"  # of customer ids: no control characters
_DOUBLE = struct.Struct("<d")
_BYTE = [bytes((n,)) for n in range(256)]
# six varint bytes, which a time in ms has from 1970-07 to 2039, by pairs: what each adds to the number
_pairs = struct.Struct("<HHH").unpack_from
_GOES_ON = {low | 128 | (high | 128) << 8: low | high << 7 for low in range(128) for high in range(128)}
_FIRST = {pair: n >> 1 for pair, n in _GOES_ON.items() if not n & 1}  # an even zigzag number is twice ours
_SECOND = {pair: n << 13 for pair, n in _GOES_ON.items()}
_LAST = {pair - (128 << 8): n << 27 for pair, n in _GOES_ON.items()}


class Unsupported(TypeError):
    """A part of Avro that the catalogue does not use."""


def reader(schema: dict[str, Any]) -> Read:
    """A function of (data, offset) that gives the record's fields and the offset after it.

    Damaged bytes raise an IndexError, ValueError, OverflowError or struct.error, or end beyond the data.
    """
    read: Read = _reader(schema, None, {})
    return read


def reader_into(schema: dict[str, Any], struct_type: type[E]) -> ReadInto[E]:
    """As `reader`, but gives the msgspec Struct with these fields; beyond its limits raises ValidationError.

    What is surely within the limits is made a Struct at once; the rest is left to msgspec, which says why.
    """

    fields_reader = cache(lambda: reader(schema))  # made when it is needed, which is hardly ever

    def judged(data: bytes, start: int) -> tuple[E, int]:
        fields, end = fields_reader()(data, start)
        return msgspec.convert(fields, struct_type), end

    into: ReadInto[E] = _reader(schema, inspect.type_info(struct_type), {"judged": judged})
    return into


def _reader(schema: dict[str, Any], limits: Any, known: dict[str, Any]) -> Any:
    names = (f"v{n}" for n in range(1_000_000))
    result = next(names)
    body = ["start = p", *_read(schema, limits, result, names, known), f"return {result}, p"]
    return _function("read", "data, p", body, known)


def writer(schema: dict[str, Any], header: bytes) -> Write:
    """A function of an object with the schema's fields as attributes: header and record."""
    write: Write = _function("write", "record", [f"return {header!r} + {_written(schema, 'record')}"], {})
    return write


def _function(name: str, parameters: str, body: list[str], known: dict[str, Any]) -> Any:
    known |= {"_DOUBLE": _DOUBLE, "_BYTE": _BYTE, "_long": _long, "_size": _size, "_count": _count}
    known |= {"_pairs": _pairs, "_FIRST": _FIRST, "_SECOND": _SECOND, "_LAST": _LAST}
    known |= {"_TooShort": struct.error, "_any_long": _any_long}
    known |= {"avro_long": avro_long, "avro_string": avro_string, "_bytes": _bytes, "_branch": _branch}
    source = f"def {name}({parameters}):\n" + "\n".join(f"    {line}" for line in body)
    exec(compile(source, "<avro schema>", "exec"), known)  # noqa: S102  # of our own schemas
    return known[name]


def _optional(kind: list[Any]) -> Any:
    if len(kind) != 2 or kind[0] != "null":
        raise Unsupported(f"union {kind}")
    return kind[1]


# Reading


def _read(kind: Any, limits: Any, into: str, names: Iterator[str], known: dict[str, Any]) -> Iterator[str]:
    """The lines that read a value of the type at data[p] into a variable, and move p behind it.

    `limits` is the type as msgspec has it, None for what has none; what the lines use goes to `known`.
    """
    if isinstance(kind, list):
        yield from ("n = data[p]", "p += 1", "if n == 0:", f"    {into} = None", "elif n == 2:")
        inner = None if limits is None else next(t for t in limits.types if type(t) is not inspect.NoneType)
        yield from _indented(_read(_optional(kind), inner, into, names, known))
        yield from ("else:", "    _branch(n)")
        return
    match kind if isinstance(kind, str) else kind["type"]:
        case "string" | "bytes" as text:
            # one byte of size, neither more (128) nor negative (1)
            yield from ("n = data[p]", "p += 1", "if n & 129:", "    n, p = _size(data, p - 1)", "else:")
            yield from (
                "    n >>= 1",
                f"{into} = data[p : p + n]" + (".decode()" if text == "string" else ""),
            )
            yield "p += n"
        case "long" if isinstance(kind, dict) and kind.get("logicalType") == "timestamp-millis":
            yield from ("try:", "    n, m, o = _pairs(data, p)")
            yield from (f"    {into} = _FIRST[n] + _SECOND[m] + _LAST[o]", "    p += 6")
            yield from ("except (KeyError, _TooShort):", f"    {into}, p = _any_long(data, p)")
        case "int" | "long":
            yield from (f"{into} = data[p]", f"if {into} > 127:", f"    {into}, p = _long(data, p)", "else:")
            yield from ("    p += 1", f"    {into} = {into} >> 1 ^ -({into} & 1)")
        case "boolean":
            yield from (f"{into} = data[p] != 0", "p += 1")
        case "double":
            yield from (f"({into},) = _DOUBLE.unpack_from(data, p)", "p += 8")
        case "record":
            parts = {field["name"]: next(names) for field in kind["fields"]}
            types = {} if limits is None else {field.name: field.type for field in limits.fields}
            for field in kind["fields"]:
                name = field["name"]
                yield from _read(field["type"], types.get(name), parts[name], names, known)
            if limits is None:
                yield f"{into} = {{{', '.join(f'{name!r}: {part}' for name, part in parts.items())}}}"
            else:
                known[limits.cls.__name__] = limits.cls
                arguments = ", ".join(f"{name}={part}" for name, part in parts.items() if name in types)
                yield f"{into} = {limits.cls.__name__}({arguments})"
        case "array":
            item, inner = next(names), getattr(limits, "item_type", None)
            lines = [*_read(kind["items"], inner, item, names, known), f"{into}.append({item})"]
            yield from _blocks(into, "[]", lines, names)
            if limits is not None:
                yield f"{into} = tuple({into})"
        case "map":
            key, value, inner = next(names), next(names), getattr(limits, "value_type", None)
            lines = [
                *_read("string", getattr(limits, "key_type", None), key, names, known),
                *_read(kind["values"], inner, value, names, known),
                f"{into}[{key}] = {value}",
            ]
            yield from _blocks(into, "{}", lines, names)
        case other:
            raise Unsupported(str(other))
    if checks := list(_checks(limits, into, known)):
        yield f"if not ({' and '.join(checks)}):"
        yield "    return judged(data, start)"


def _checks(limits: Any, value: str, known: dict[str, Any]) -> Iterator[str]:
    """What must be so for the value to be surely within the limits."""
    match limits:
        case inspect.IntType() | inspect.FloatType():
            if limits.ge is not None and limits.le is not None:
                yield f"{limits.ge!r} <= {value} <= {limits.le!r}"
        case inspect.StrType(max_length=longest, pattern=pattern):
            if longest is not None:
                yield f"len({value}) <= {longest}"
            if pattern == ID_PATTERN:  # a quarter of its time
                yield f"{value} and {value}.isprintable()"
            elif pattern is not None:
                name = f"matches_{len(known)}"
                known[name] = re.compile(pattern).search
                yield f"{name}({value})"


def _blocks(into: str, empty: str, item: list[str], names: Iterator[str]) -> Iterator[str]:
    left = next(names)
    yield from (f"{into} = {empty}", f"{left}, p = _count(data, p)", f"while {left}:")
    yield f"    for {next(names)} in range({left}):"
    yield from _indented(_indented(item))
    yield f"    {left}, p = _count(data, p)"


def _indented(lines: Any) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _long(data: bytes, p: int) -> tuple[int, int]:
    """A zigzag varint of more than one byte, and the offset after it."""
    if (b := data[p + 1]) < 128:
        n = data[p] & 127 | b << 7
        return n >> 1 ^ -(n & 1), p + 2
    if (c := data[p + 2]) < 128:
        n = data[p] & 127 | (b & 127) << 7 | c << 14
        return n >> 1 ^ -(n & 1), p + 3
    n = shift = 0
    while True:
        byte = data[p]
        p += 1
        n |= (byte & 127) << shift
        if n >> 64:
            raise ValueError("a number of more than 64 bits")
        if byte < 128:
            return n >> 1 ^ -(n & 1), p
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than ten bytes")


def _any_long(data: bytes, p: int) -> tuple[int, int]:
    byte = data[p]
    return _long(data, p) if byte > 127 else (byte >> 1 ^ -(byte & 1), p + 1)


def _size(data: bytes, p: int) -> tuple[int, int]:
    n, p = _any_long(data, p)
    if n < 0:
        raise ValueError(f"a size of {n}")
    return n, p


def _count(data: bytes, p: int) -> tuple[int, int]:
    """How many items the block has that begins here; a negative count is followed by the block's size."""
    n, p = _any_long(data, p)
    if n < 0:
        n, (_, p) = -n, _any_long(data, p)
    return n, p


def _branch(n: int) -> None:
    raise ValueError(f"branch {n >> 1 ^ -(n & 1)} of a union of two")


# Writing


def _written(kind: Any, value: str, depth: int = 0) -> str:
    """The expression of the bytes of a value of the type."""
    if isinstance(kind, list):
        there = _written(_optional(kind), value, depth)
        return f'(b"\\0" if {value} is None else b"\\2" + {there})'
    match kind if isinstance(kind, str) else kind["type"]:
        case "string":
            return f"avro_string({value})"
        case "bytes":
            return f"_bytes({value})"
        case "int" | "long":
            return f"avro_long({value})"
        case "boolean":
            return f"_BYTE[bool({value})]"
        case "double":
            return f"_DOUBLE.pack({value})"
        case "record":
            parts = (_written(field["type"], f"{value}.{field['name']}", depth) for field in kind["fields"])
            return f'b"".join(({", ".join(parts)},))'
        case "array":
            item = _written(kind["items"], f"i{depth}", depth + 1)
            return _block(value, f"[{item} for i{depth} in {value}]")
        case "map":
            item = _written(kind["values"], f"i{depth}", depth + 1)
            return _block(
                value, f"[avro_string(k{depth}) + {item} for k{depth}, i{depth} in {value}.items()]"
            )
        case other:
            raise Unsupported(str(other))


def _block(value: str, items: str) -> str:
    return f'(b"".join((avro_long(len({value})), *{items}, b"\\0")) if {value} else b"\\0")'


def avro_long(number: int) -> bytes:
    """Zigzag and base 128, least significant group first; raises OverflowError beyond 64 bits."""
    n = number << 1 if number >= 0 else ~(number << 1)
    if n < 128:
        return _BYTE[n]
    if 1 << 35 <= n < 1 << 42:
        a, b, c, d, e = (
            n & 127 | 128,
            n >> 7 & 127 | 128,
            n >> 14 & 127 | 128,
            n >> 21 & 127 | 128,
            n >> 28 & 127 | 128,
        )
        return bytes((a, b, c, d, e, n >> 35))
    if n >> 64:
        raise OverflowError(f"{number} has more than 64 bits")
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def avro_string(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    return (_BYTE[size << 1] if size < 64 else avro_long(size)) + data


def _bytes(data: bytes) -> bytes:
    return avro_long(len(data)) + data
