"""Reads msgpack as uv does (serde, rmp-serde), and says what uv would say where it cannot.

The shapes are msgspec Structs, so the same declaration serves two readers: msgspec's, which is fast and knows
only yes and no (`accepts`), and this one (`read`), which follows rmp-serde call by call: it takes maps where
arrays are expected, ignores what follows the value, stops where uv stops, and has uv's message.
Source: rmp-serde's decode.rs and serde's own error texts.
"""

from __future__ import annotations

import functools
import math
import struct
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields as struct_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Two ways to run out of bytes: in a marker, a length or a number, and in the body of a string.
EOF = "failed to fill whole buffer"
EOF_BODY = "unexpected end of file"
_DEPTH = 1024
_MARKED = {
    0xC0: "Null", 0xC1: "Reserved", 0xC2: "False", 0xC3: "True", 0xC4: "Bin8", 0xC5: "Bin16", 0xC6: "Bin32",
    0xC7: "Ext8", 0xC8: "Ext16", 0xC9: "Ext32", 0xCA: "F32", 0xCB: "F64", 0xCC: "U8", 0xCD: "U16", 0xCE: "U32",
    0xCF: "U64", 0xD0: "I8", 0xD1: "I16", 0xD2: "I32", 0xD3: "I64", 0xD4: "FixExt1", 0xD5: "FixExt2",
    0xD6: "FixExt4", 0xD7: "FixExt8", 0xD8: "FixExt16", 0xD9: "Str8", 0xDA: "Str16", 0xDB: "Str32",
    0xDC: "Array16", 0xDD: "Array32", 0xDE: "Map16", 0xDF: "Map32",
}  # fmt: skip
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
# The markers whose length follows in 1, 2 or 4 bytes.
_LENGTHS = {
    0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xC7: ">B", 0xC8: ">H", 0xC9: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I",
    0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I",
}  # fmt: skip


class Fault(Struct, frozen=True, kw_only=True):
    """Where and why a reader stops.

    `message` is rmp-serde's text, `innermost` the last cause in its chain. `where` is the field ("" for the
    value itself), `what` a noun for the struct around it, `found` and `most` its lengths where length is the
    matter (`least` as well).
    """

    message: str
    innermost: str
    kind: Literal["eof", "longer", "shorter", "type", "text", "utf8", "depth", "variant"]
    where: str = ""
    what: str = ""
    found: int = -1
    least: int = -1
    most: int = -1


class Read(Struct, frozen=True, kw_only=True):
    """What a reader got: `value` with field names, as JSON can hold it, or the `fault`.

    `spans` says where each field stands: its name (`revision.id`, `hashes[0].digest`) to first byte and end.
    `end` is the number of bytes used.
    """

    value: Any = None
    fault: Fault | None = None
    spans: dict[str, tuple[int, int]] = {}
    end: int = 0


class _StopError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _stop(message: str, kind: Any, cursor: _Cursor, *, innermost: str = "", **more: Any) -> _StopError:
    return _StopError(
        Fault(message=message, innermost=innermost or message, kind=kind, where=cursor.where, **more)
    )


class _Cursor:
    __slots__ = ("data", "depth", "pos", "spans", "where")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0
        self.depth = _DEPTH
        self.where = ""
        self.spans: dict[str, tuple[int, int]] = {}

    def marker(self) -> int:
        if self.pos >= len(self.data):
            raise _stop(f"IO error while reading marker: {EOF}", "eof", self, innermost=EOF)
        self.pos += 1
        return self.data[self.pos - 1]

    def peek(self) -> int:
        marker = self.marker()
        self.pos -= 1
        return marker

    def take(self, size: int, eof: str = EOF_BODY) -> bytes:
        if self.pos + size > len(self.data):
            raise _stop(f"IO error while reading data: {eof}", "eof", self, innermost=eof)
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def unpack(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code), EOF))[0]

    def enter(self) -> None:
        self.depth -= 1
        if self.depth == 0:
            raise _stop("depth limit exceeded", "depth", self)

    def leave(self) -> None:
        self.depth += 1


_Reader = typing.Callable[[_Cursor], Any]

_ARRAY, _MAP, _STR, _BIN, _EXT, _NUMBER, _BOOL, _NIL, _BAD = range(9)


def _family(marker: int) -> int:
    if marker < 0x80 or marker >= 0xE0 or marker in _NUMBERS:
        return _NUMBER
    if marker < 0x90 or marker in {0xDE, 0xDF}:
        return _MAP
    if marker < 0xA0 or marker in {0xDC, 0xDD}:
        return _ARRAY
    if marker < 0xC0 or marker in {0xD9, 0xDA, 0xDB}:
        return _STR
    if marker in {0xC4, 0xC5, 0xC6}:
        return _BIN
    return {0xC0: _NIL, 0xC1: _BAD, 0xC2: _BOOL, 0xC3: _BOOL}.get(marker, _EXT)


def _length(cursor: _Cursor, marker: int) -> int:
    if marker < 0xA0:
        return marker & 0x0F
    if marker < 0xC0:
        return marker & 0x1F
    if 0xD4 <= marker <= 0xD8:
        return int(1 << (marker - 0xD4))
    return int(cursor.unpack(_LENGTHS[marker]))


def _number(cursor: _Cursor, marker: int) -> int | float:
    if marker < 0x80:
        return marker
    if marker >= 0xE0:
        return marker - 0x100
    number: int | float = cursor.unpack(_NUMBERS[marker])
    return number


def marker_name(marker: int) -> str:
    """The marker as rmp's Debug prints it: `FixArray(2)`, `U32`."""
    if marker < 0x80:
        return f"FixPos({marker})"
    if marker >= 0xE0:
        return f"FixNeg({marker - 0x100})"
    if marker < 0x90:
        return f"FixMap({marker & 15})"
    if marker < 0xA0:
        return f"FixArray({marker & 15})"
    if marker < 0xC0:
        return f"FixStr({marker & 31})"
    return _MARKED[marker]


def _text(cursor: _Cursor, marker: int) -> str:
    raw = cursor.take(_length(cursor, marker))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            detail = f"incomplete utf-8 byte sequence from index {error.start}"
        else:
            detail = (
                f"invalid utf-8 sequence of {max(1, error.end - error.start)} bytes from index {error.start}"
            )
        message = f"string found to be invalid utf8: {detail}"
        raise _stop(message, "utf8", cursor, innermost=detail) from None


def _unexpected(cursor: _Cursor, marker: int, expected: str, what: str = "") -> _StopError:
    """The complaint of a serde visitor that is handed something else than it expects."""
    family = _family(marker)
    if family == _NUMBER:
        number = _number(cursor, marker)
        is_float = isinstance(number, float)
        name = f"floating point `{_float(number)}`" if is_float else f"integer `{number}`"
    elif family == _STR:
        name = f"string {quoted(_text(cursor, marker))}"
    elif family == _BIN:
        cursor.take(_length(cursor, marker))
        name = "byte array"
    elif family == _BAD:
        return _stop("wrong msgpack marker Reserved", "type", cursor, what=what)
    else:
        name = {
            _ARRAY: "sequence", _MAP: "map", _EXT: "newtype struct", _NIL: "unit value",
            _BOOL: f"boolean `{'true' if marker == 0xC3 else 'false'}`",
        }[family]  # fmt: skip
        if family in {_ARRAY, _MAP, _EXT}:
            _length(cursor, marker)
    return _stop(f"invalid type: {name}, expected {expected}", "type", cursor, what=what)


def _float(number: float) -> str:
    text = repr(float(number))
    return text if any(c in text for c in ".einf") else text + ".0"


def quoted(text: str) -> str:
    """A string as Rust's Debug prints it, for the usual characters."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
    body = "".join(escapes.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text)
    return f'"{body}"'


def _skip(cursor: _Cursor) -> None:
    """Goes past one value of any kind, with uv's limit on depth, without recursion."""
    left = [1]
    while left:
        if left[-1] == 0:
            left.pop()
            if left:
                cursor.leave()
            continue
        left[-1] -= 1
        marker = cursor.marker()
        family = _family(marker)
        if family in {_ARRAY, _MAP}:
            count = _length(cursor, marker)
            cursor.enter()
            left.append(count * (2 if family == _MAP else 1))
        elif family == _STR:
            _text(cursor, marker)
        elif family == _BIN:
            cursor.take(_length(cursor, marker))
        elif family == _EXT:
            cursor.take(_length(cursor, marker) + 1)
        elif family == _NUMBER:
            _number(cursor, marker)
        elif family == _BAD:
            raise _stop("wrong msgpack marker Reserved", "type", cursor)


def _any(cursor: _Cursor) -> Any:
    start = cursor.pos
    _skip(cursor)
    try:
        return _jsonable(msgspec.msgpack.decode(cursor.data[start : cursor.pos]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        return None


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


class Shape(Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """A struct as uv writes and reads it: an array of its fields in order.

    `rust` is its name in uv's messages, `noun` what a person may call it.
    """

    rust: ClassVar[str] = ""
    noun: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, check in _checks(type(self)):
            value = getattr(self, name)
            if value is not None:
                for item in value if isinstance(value, list) else (value,):
                    for text in item.values() if isinstance(item, dict) else (item,):
                        problem = check(text)
                        if problem:
                            raise ValueError(problem)


@functools.cache
def _checks(shape: type) -> tuple[tuple[str, Callable[[Any], str]], ...]:
    """The fields of a shape whose text has to pass a check, at the field itself or at the items of its list."""
    out = []
    for name, hint in typing.get_type_hints(shape, include_extras=True).items():
        check = _find_check(hint)
        if check is not None:
            out.append((name, check))
    return tuple(out)


def _find_check(hint: Any) -> Callable[[Any], str] | None:
    if typing.get_origin(hint) is Annotated:
        extra = _extra(hint)
        if "check" in extra:
            return typing.cast("Callable[[Any], str]", extra["check"])
    for part in typing.get_args(hint):
        if not isinstance(part, (Meta, str)):
            found = _find_check(part)
            if found is not None:
                return found
    return None


def _extra(hint: Any) -> dict[str, Any]:
    for meta in hint.__metadata__:
        if isinstance(meta, Meta) and meta.extra:
            return dict(meta.extra)
    return {}


# A string that has to pass a check is Annotated with {"check": function}, which returns uv's complaint or "". An
# untagged enum of uv's is Annotated[Any] with {"untagged": (its name, the types that it tries in turn)}.
U8 = Annotated[int, Meta(ge=0, le=0xFF, extra={"int": ("u8", 0, 0xFF)})]
U32 = Annotated[int, Meta(ge=0, le=0xFFFF_FFFF, extra={"int": ("u32", 0, 0xFFFF_FFFF)})]
U64 = Annotated[int, Meta(ge=0, extra={"int": ("u64", 0, 0xFFFF_FFFF_FFFF_FFFF)})]


@functools.cache
def _reader(hint: Any) -> _Reader:
    if isinstance(hint, type) and issubclass(hint, Shape):
        return _struct_reader(hint)
    if hint is Any:
        return _any
    if hint is str:
        return _read_str
    if hint is bool:
        return _read_bool
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        extra = _extra(hint)
        if "int" in extra:
            return _int_reader(*extra["int"])
        if "check" in extra:
            return _checked_reader(extra["check"])
        if "untagged" in extra:
            return _untagged_reader(*extra["untagged"])
        if "tagged" in extra:
            return _tagged_reader(*typing.get_args(args[0]))
        return _reader(args[0])
    if origin in {Union, types.UnionType} and len(args) == 2 and args[1] is type(None):
        return _option_reader(_reader(args[0]))
    if origin is list:
        return _list_reader(_reader(args[0]))
    if origin is dict:
        return _dict_reader(_reader(args[0]), _reader(args[1]))
    if origin is Literal:
        return _variant_reader(args)
    msg = f"no reader for {hint!r}"
    raise TypeError(msg)


def _read_str(cursor: _Cursor) -> str:
    marker = cursor.marker()
    family = _family(marker)
    if family == _STR:
        return _text(cursor, marker)
    if family == _BIN:
        raw = cursor.take(_length(cursor, marker))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise _stop("invalid value: byte array, expected a string", "type", cursor) from None
    raise _unexpected(cursor, marker, "a string")


def _read_bool(cursor: _Cursor) -> bool:
    marker = cursor.marker()
    if marker in {0xC2, 0xC3}:
        return marker == 0xC3
    if _family(marker) in {_NUMBER, _NIL}:
        raise _unexpected(cursor, marker, "a boolean")
    raise _stop(f"wrong msgpack marker {marker_name(marker)}", "type", cursor)


def _int_reader(name: str, low: int, high: int) -> _Reader:
    def read_int(cursor: _Cursor) -> int:
        marker = cursor.marker()
        if _family(marker) in {_NIL, _BOOL}:
            raise _unexpected(cursor, marker, name)
        if _family(marker) != _NUMBER:
            raise _stop(f"wrong msgpack marker {marker_name(marker)}", "type", cursor)
        number = _number(cursor, marker)
        if isinstance(number, float):
            raise _stop(f"invalid type: floating point `{_float(number)}`, expected {name}", "type", cursor)
        if not low <= number <= high:
            raise _stop(f"invalid value: integer `{number}`, expected {name}", "type", cursor)
        return number

    return read_int


def _checked_reader(check: Callable[[str], str]) -> _Reader:
    def read_checked(cursor: _Cursor) -> str:
        marker = cursor.marker()
        if _family(marker) != _STR:
            raise _unexpected(cursor, marker, "a string")
        text = _text(cursor, marker)
        problem = check(text)
        if problem:
            raise _stop(problem, "text", cursor)
        return text

    return read_checked


def _option_reader(inner: _Reader) -> _Reader:
    def read_option(cursor: _Cursor) -> Any:
        if cursor.peek() == 0xC0:
            cursor.pos += 1
            return None
        return inner(cursor)

    return read_option


def _list_reader(item: _Reader) -> _Reader:
    def read_list(cursor: _Cursor) -> list[Any]:
        marker = cursor.marker()
        if _family(marker) != _ARRAY:
            raise _unexpected(cursor, marker, "a sequence")
        count = _length(cursor, marker)
        cursor.enter()
        out = []
        where = cursor.where
        for at in range(count):
            cursor.where = f"{where}[{at}]"
            out.append(_spanned(item, cursor))
        cursor.where = where
        cursor.leave()
        return out

    return read_list


def _dict_reader(key: _Reader, value: _Reader) -> _Reader:
    def read_dict(cursor: _Cursor) -> dict[str, Any]:
        marker = cursor.marker()
        if _family(marker) != _MAP:
            raise _unexpected(cursor, marker, "a map")
        count = _length(cursor, marker)
        cursor.enter()
        out = {}
        where = cursor.where
        for _ in range(count):
            name = key(cursor)
            cursor.where = f"{where}.{name}"
            out[name] = _spanned(value, cursor)
            cursor.where = where
        cursor.leave()
        return out

    return read_dict


def _variant_reader(names: tuple[str, ...]) -> _Reader:
    known = ", ".join(f"`{name}`" for name in names)
    one_of = f"one of {known}" if len(names) > 2 else known.replace(", ", " or ")

    def read_variant(cursor: _Cursor) -> str:
        marker = cursor.marker()
        family = _family(marker)
        if family in {_ARRAY, _MAP}:
            count = _length(cursor, marker)
            if count != 1:
                raise _stop(f"array had incorrect length, expected {count}", "variant", cursor)
            marker = cursor.marker()
            family = _family(marker)
        if family != _STR:
            raise _unexpected(cursor, marker, "variant identifier")
        name = _text(cursor, marker)
        if name not in names:
            raise _stop(f"unknown variant `{name}`, expected {one_of}", "variant", cursor)
        return name

    return read_variant


def _tagged_reader(variants: Any, holds: Any) -> _Reader:
    """Of an enum whose every variant holds the same: a map of one, from the variant to what it holds."""
    names = typing.get_args(variants)
    held_by = _reader(holds)
    known = ", ".join(f"`{name}`" for name in names)

    def read_tagged(cursor: _Cursor) -> dict[str, Any]:
        marker = cursor.marker()
        family = _family(marker)
        if family == _MAP:
            count = _length(cursor, marker)
            if count != 1:
                raise _stop("array had incorrect length, expected 1", "variant", cursor)
            marker = cursor.marker()
            held = True
        else:
            held = False
        if _family(marker) != _STR:
            raise _unexpected(cursor, marker, "variant identifier")
        name = _text(cursor, marker)
        if name not in names:
            raise _stop(f"unknown variant `{name}`, expected one of {known}", "variant", cursor)
        if not held:
            raise _stop("invalid type: unit variant, expected newtype variant", "variant", cursor)
        return {name: held_by(cursor)}

    return read_tagged


def _untagged_reader(rust: str, variants: tuple[Any, ...]) -> _Reader:
    readers = tuple(map(_reader, variants))

    def read_untagged(cursor: _Cursor) -> Any:
        start, depth, where = cursor.pos, cursor.depth, cursor.where
        _skip(cursor)  # serde buffers the value first: what is cut or no msgpack fails with its own message
        end = cursor.pos
        for reader in readers:
            cursor.pos, cursor.depth, cursor.where = start, depth, where
            try:
                value = reader(cursor)
            except _StopError:
                continue
            if cursor.pos == end:
                return value
        cursor.pos, cursor.depth, cursor.where = start, depth, where
        raise _stop(f"data did not match any variant of untagged enum {rust}", "variant", cursor)

    return read_untagged


def _struct_reader(shape: type[Shape]) -> _Reader:
    hints = typing.get_type_hints(shape, include_extras=True)
    rows = [
        (
            field.name,
            field.encode_name,
            _reader(hints[field.name]),
            field.default is not NODEFAULT or field.default_factory is not NODEFAULT,
            _is_option(hints[field.name]),
        )
        for field in struct_fields(shape)
    ]
    least = sum(1 for row in rows if not row[3])
    expected = f"struct {shape.rust}"
    count_of = f"{expected} with {len(rows)} element{'s' if len(rows) != 1 else ''}"

    def default(name: str) -> Any:
        field = next(f for f in struct_fields(shape) if f.name == name)
        return field.default if field.default is not NODEFAULT else field.default_factory()

    def read_struct(cursor: _Cursor) -> dict[str, Any]:
        marker = cursor.marker()
        family = _family(marker)
        if family not in {_ARRAY, _MAP}:
            raise _unexpected(cursor, marker, expected, shape.noun)
        count = _length(cursor, marker)
        cursor.enter()
        value = (from_array if family == _ARRAY else from_map)(cursor, count)
        cursor.leave()
        return value

    def from_array(cursor: _Cursor, count: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        where = cursor.where
        for at, (name, _, reader, defaulted, _) in enumerate(rows):
            if at < count:
                cursor.where = f"{where}.{name}" if where else name
                out[name] = _spanned(reader, cursor)
            elif defaulted:
                out[name] = default(name)
            else:
                cursor.where = where
                raise _stop(
                    f"invalid length {at}, expected {count_of}", "shorter", cursor,
                    what=shape.noun, found=count, least=least, most=len(rows),
                )  # fmt: skip
        cursor.where = where
        if count > len(rows):
            raise _stop(
                f"array had incorrect length, expected {len(rows)}", "longer", cursor,
                what=shape.noun, found=count, least=least, most=len(rows),
            )  # fmt: skip
        return out

    def from_map(cursor: _Cursor, count: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        where = cursor.where
        for _ in range(count):
            row = _map_field(cursor)
            if row is None:
                _skip(cursor)
                continue
            name = row[0]
            if name in out:
                raise _stop(f"duplicate field `{row[1]}`", "text", cursor, what=shape.noun)
            cursor.where = f"{where}.{name}" if where else name
            out[name] = _spanned(row[2], cursor)
            cursor.where = where
        for name, encoded, _, defaulted, optional in rows:
            if name not in out:
                if not defaulted and not optional:
                    raise _stop(f"missing field `{encoded}`", "shorter", cursor, what=shape.noun)
                out[name] = default(name) if defaulted else None
        return out

    def _map_field(cursor: _Cursor) -> tuple[str, str, _Reader, bool, bool] | None:
        marker = cursor.marker()
        family = _family(marker)
        if family == _NUMBER:
            at = _number(cursor, marker)
            return rows[at] if isinstance(at, int) and 0 <= at < len(rows) else None
        if family not in {_STR, _BIN}:
            raise _unexpected(cursor, marker, "field identifier", shape.noun)
        key = cursor.take(_length(cursor, marker)).decode("utf-8", "replace")
        return next((row for row in rows if row[1] == key), None)

    return read_struct


def _is_option(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _spanned(reader: _Reader, cursor: _Cursor) -> Any:
    start, where = cursor.pos, cursor.where
    value = reader(cursor)
    if len(cursor.spans) < 10_000:  # a garbled length must not fill the memory with places
        cursor.spans[where] = (start, cursor.pos)
    return value


def read(shape: Any, data: bytes) -> Read:
    """What uv gets when it reads `data` as `shape`: the value with field names, or where and why it stops."""
    cursor = _Cursor(data)
    try:
        value = _reader(shape)(cursor)
    except _StopError as stopped:
        return Read(fault=stopped.fault, spans=cursor.spans, end=cursor.pos)
    return Read(value=value, spans=cursor.spans, end=cursor.pos)


@functools.cache
def decoder(shape: Any) -> msgspec.msgpack.Decoder[Any]:
    """The fast decoder. It takes anything where an untagged enum belongs."""
    return msgspec.msgpack.Decoder(shape)


@functools.cache
def _exact(shape: Any) -> bool:
    """Whether msgspec's yes is uv's yes: not where an untagged enum hides behind Any."""
    if typing.get_origin(shape) is Annotated and "untagged" in _extra(shape):
        return False
    parts: Iterator[Any] | tuple[Any, ...] = typing.get_args(shape)
    if isinstance(shape, type) and issubclass(shape, Shape):
        parts = iter(typing.get_type_hints(shape, include_extras=True).values())
    return all(_exact(part) for part in parts if not isinstance(part, (Meta, str)))


@functools.cache
def exact_decoder(shape: Any) -> msgspec.msgpack.Decoder[Any] | None:
    """The decoder that accepts nothing that uv refuses to read as `shape`, None where msgspec cannot tell.

    It raises MsgspecError, ValueError, TypeError, RecursionError or MemoryError for what it does not accept.
    """
    return decoder(shape) if shape is not None and _exact(shape) else None


def accepts(shape: Any, data: bytes) -> bool:
    """Whether uv reads `data` as `shape`. Fast where it does; where msgspec refuses, `read` has the last word."""
    if _exact(shape):
        try:
            decoder(shape).decode(data)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, MemoryError):
            pass
        else:
            return True
    return read(shape, data).fault is None
