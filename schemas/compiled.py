"""How is a record of one schema read and written fast? By two functions, made from the schema.

fastavro walks the schema at each record, and was more than half of a small fold's time (docs/adr/0002). These
functions have the walk behind them: what they read and write is Avro's binary encoding as fastavro does it,
which tests/unit/schemas/test_compiled.py holds them to.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any

Read = Callable[[bytes, int], tuple[dict[str, Any], int]]
Write = Callable[[Any], bytes]

_DOUBLE = struct.Struct("<d")
_BYTE = [bytes((n,)) for n in range(256)]
# the continuation bits of six varint bytes, which a time in ms has from 1970-07 to 2039
_SIX = sum(128 << 7 * n for n in range(5))


class Unsupported(TypeError):
    """A part of Avro that the catalogue does not use."""


def reader(schema: dict[str, Any]) -> Read:
    """A function of (data, offset) that gives the record's fields and the offset after it.

    Damaged bytes raise an IndexError, ValueError, OverflowError or struct.error, or end beyond the data.
    """
    names = (f"v{n}" for n in range(1_000_000))
    result = next(names)
    body = [*_read(schema, result, names), f"return {result}, p"]
    read: Read = _function("read", "data, p", body)
    return read


def writer(schema: dict[str, Any], header: bytes) -> Write:
    """A function of an object with the schema's fields as attributes: header and record."""
    write: Write = _function("write", "record", [f"return {header!r} + {_written(schema, 'record')}"])
    return write


def _function(name: str, parameters: str, body: list[str]) -> Any:
    known = {"_DOUBLE": _DOUBLE, "_BYTE": _BYTE, "_long": _long, "_size": _size, "_count": _count}
    known |= {"avro_long": avro_long, "avro_string": avro_string, "_bytes": _bytes, "_branch": _branch}
    source = f"def {name}({parameters}):\n" + "\n".join(f"    {line}" for line in body)
    exec(compile(source, "<avro schema>", "exec"), known)  # noqa: S102  # of our own schemas
    return known[name]


def _optional(kind: list[Any]) -> Any:
    if len(kind) != 2 or kind[0] != "null":
        raise Unsupported(f"union {kind}")
    return kind[1]


# Reading


def _read(kind: Any, into: str, names: Iterator[str]) -> Iterator[str]:
    """The lines that read a value of the type at data[p] into a variable, and move p behind it."""
    if isinstance(kind, list):
        yield from ("n = data[p]", "p += 1", "if n == 0:", f"    {into} = None", "elif n == 2:")
        yield from _indented(_read(_optional(kind), into, names))
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
        case "int" | "long":
            yield from (f"{into} = data[p]", "p += 1", f"if {into} > 127:")
            yield from (f"    {into}, p = _long(data, p - 1)", "else:")
            yield f"    {into} = {into} >> 1 ^ -({into} & 1)"
        case "boolean":
            yield from (f"{into} = data[p] != 0", "p += 1")
        case "double":
            yield from (f"({into},) = _DOUBLE.unpack_from(data, p)", "p += 8")
        case "record":
            parts = {field["name"]: next(names) for field in kind["fields"]}
            for field in kind["fields"]:
                yield from _read(field["type"], parts[field["name"]], names)
            yield f"{into} = {{{', '.join(f'{name!r}: {part}' for name, part in parts.items())}}}"
        case "array":
            item = next(names)
            yield from _blocks(
                into, "[]", [*_read(kind["items"], item, names), f"{into}.append({item})"], names
            )
        case "map":
            key, value = next(names), next(names)
            lines = [
                *_read("string", key, names),
                *_read(kind["values"], value, names),
                f"{into}[{key}] = {value}",
            ]
            yield from _blocks(into, "{}", lines, names)
        case other:
            raise Unsupported(str(other))


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
    six = data[p : p + 6]
    if len(six) == 6:
        a, b, c, d, e, f = six
        if a & b & c & d & e & 128 and f < 128:
            n = a + (b << 7) + (c << 14) + (d << 21) + (e << 28) + (f << 35) - _SIX
            return n >> 1 ^ -(n & 1), p + 6
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


def _size(data: bytes, p: int) -> tuple[int, int]:
    n, p = _long(data, p)
    if n < 0:
        raise ValueError(f"a size of {n}")
    return n, p


def _count(data: bytes, p: int) -> tuple[int, int]:
    """How many items the block has that begins here; a negative count is followed by the block's size."""
    n, p = _long(data, p)
    if n < 0:
        n, (_, p) = -n, _long(data, p)
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
