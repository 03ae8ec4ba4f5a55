"""Damaged shared objects: headers, tables, names and code."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

_EXTREMES = (
    0, 1, 2, 7, 8, 24, 63, 64, 0x7F, 0xFF, 0x1000, 0xFFFF, 0x10000, 1 << 20, (1 << 24) - 1, 1 << 24, (1 << 31) - 1,
    1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, (1 << 47) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
_FIELDS = ("<I", "<I", "<Q", "<Q", "<Q", "<Q", "<I", "<I", "<Q", "<Q")  # of a section header, in their order
_FILE_FIELDS = (
    ("<B", 4), ("<B", 5), ("<H", 16), ("<H", 18), ("<Q", 24), ("<Q", 32), ("<Q", 40), ("<H", 52), ("<H", 54),
    ("<H", 56), ("<H", 58), ("<H", 60), ("<H", 62),
)  # fmt: skip
_ENTRY_SIZES = {2: 24, 11: 24, 4: 24, 6: 16}  # section type (symbols, dynamic symbols, relocations, dynamic) -> bytes
_STRINGS, _FUNCTION = 3, 2
_CODE = (
    b"\xeb\xfe", b"\xe9\xfb\xff\xff\xff", b"\x75\xfe", b"\xeb\x01", b"\x75\x01", b"\xe8\0\0\0\0", b"\xc3", b"\xcc",
    b"\xff\xe0", b"\xff\xd0", b"\x3e\xff\xe0", b"\x0f\x05", b"\x0f\x0b", b"\xf4", b"\xe2\xfc", b"\xe3\xfc", b"\x06",
    b"\x66",
    b"\x48", b"\xf3", b"\x62", b"\xc5", b"\xc4", b"\x48\x8d\x05\0\0\0\0", b"\xff\x25\0\0\0\0", b"\xff\x15\0\0\0\0",
    b"\x62\xf2\xf5\x48\xb8\xc2", b"\xc4\xe2\xf5\xb8\xc2", b"\xf2\x0f\x58\xc1", b"\xc5\xfb\x58\xc0", b"\x48\xf7\xf9",
    b"\xf0\x0f\xc1\x07", b"\x0f\x18\x08", b"\x67\xe3\x00", b"\xc8\x10\x00\x01", b"\x48\x81\xec\xff\xff\xff\x7f",
)  # fmt: skip

Pool = Sequence[bytes]
Mutation = Callable[[random.Random, bytearray, Pool], None]


class _Part(NamedTuple):
    """Where a section's header lies, and what it says."""

    header: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


def mutated_object(rng: random.Random, pool: Pool) -> bytes:
    """A shared object of the pool after one to six mutations."""
    data = bytearray(rng.choice(pool))
    for _ in range(min(6, 1 + int(rng.expovariate(0.7)))):
        rng.choice(MUTATIONS)(rng, data, pool)
    return bytes(data)


def _parts(data: bytearray) -> list[_Part]:
    """The sections as far as the headers can still be followed."""
    if len(data) < 64:
        return []
    (table,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    found = []
    for header in range(table, table + 64 * min(count, 64), 64):
        if header + 64 > len(data):
            break
        _, kind, flags, address, offset, size, link, *_ = struct.unpack_from("<IIQQQQIIQQ", data, header)
        found.append(_Part(header, kind, flags, address, offset, size, link))
    return found


def _entry(rng: random.Random, data: bytearray, kinds: Sequence[int]) -> int | None:
    """Where an entry of a table of one of the kinds lies."""
    tables = [part for part in _parts(data) if part.kind in kinds and part.offset + part.size <= len(data)]
    if not tables:
        return None
    table = rng.choice(tables)
    size = _ENTRY_SIZES[table.kind]
    return table.offset + size * rng.randrange(table.size // size) if table.size >= size else None


def _put(data: bytearray, layout: str, at: int, value: int) -> None:
    """Writes a number, cut to its field, where it fits into the data."""
    size = struct.calcsize(layout)
    if 0 <= at <= len(data) - size:
        struct.pack_into(layout, data, at, value & ((1 << 8 * size) - 1))


def _value(rng: random.Random, data: bytearray) -> int:
    return rng.choice(
        (rng.choice(_EXTREMES), rng.randrange(len(data) + 1), rng.getrandbits(rng.choice((8, 16, 32, 64))))
    )


def _flip(rng: random.Random, data: bytearray, pool: Pool) -> None:
    for _ in range(rng.randint(1, 20) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_near_tables(rng: random.Random, data: bytearray, pool: Pool) -> None:
    """Bytes of the file's header and of the last 1,500 bytes, where the section headers are."""
    for _ in range(rng.randint(1, 6) if data else 0):
        at = rng.choice((rng.randrange(min(64, len(data))), len(data) - rng.randint(1, min(1500, len(data)))))
        data[at] = rng.choice((0, 0xFF, rng.randrange(256)))


def _truncate(rng: random.Random, data: bytearray, pool: Pool) -> None:
    del data[rng.choice((0, 4, 16, 63, 64, rng.randint(0, len(data)), rng.randint(0, len(data)))) :]


def _grow(rng: random.Random, data: bytearray, pool: Pool) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.randbytes(rng.randint(1, 300))


def _splice(rng: random.Random, data: bytearray, pool: Pool) -> None:
    other = rng.choice(pool)
    start = rng.randrange(len(other))
    piece = other[start : start + rng.randint(1, 2000)]
    at = rng.choice((start, rng.randint(0, len(data))))
    if at + len(piece) <= len(data):
        data[at : at + len(piece)] = piece


def _file_header(rng: random.Random, data: bytearray, pool: Pool) -> None:
    layout, at = rng.choice(_FILE_FIELDS)
    _put(data, layout, at, _value(rng, data))


def _segment(rng: random.Random, data: bytearray, pool: Pool) -> None:
    _put(data, rng.choice(("<I", "<Q")), 64 + 4 * rng.randrange(14 * 8), _value(rng, data))


def _section_header(rng: random.Random, data: bytearray, pool: Pool) -> None:
    parts = _parts(data)
    for _ in range(rng.randint(1, 4) if parts else 0):
        field = rng.randrange(len(_FIELDS))
        place = rng.choice(parts).header + struct.calcsize("<" + "".join(f[1] for f in _FIELDS[:field]))
        _put(data, _FIELDS[field], place, rng.choice((_value(rng, data), rng.randrange(20))))


def _overlap(rng: random.Random, data: bytearray, pool: Pool) -> None:
    """One section gets the place of another: in the file, in memory, or its whole header."""
    parts = _parts(data)
    if len(parts) < 2:
        return
    one, other = rng.sample(parts, 2)
    start, end = rng.choice(((0, 64), (16, 24), (24, 40), (32, 40), (4, 8), (8, 16)))
    data[one.header + start : one.header + end] = data[other.header + start : other.header + end]


def _symbol(rng: random.Random, data: bytearray, pool: Pool) -> None:
    for _ in range(rng.randint(1, 8)):
        at = _entry(rng, data, (2, 11))
        if at is not None:
            layout, field = rng.choice((("<I", 0), ("<B", 4), ("<B", 5), ("<H", 6), ("<Q", 8), ("<Q", 16)))
            _put(data, layout, at + field, rng.choice((_value(rng, data), rng.randrange(32))))


def _functions_overlap(rng: random.Random, data: bytearray, pool: Pool) -> None:
    """Every symbol becomes a function somewhere in the code, often up to its end."""
    code = [part for part in _parts(data) if part.flags & 4]
    tables = [part for part in _parts(data) if part.kind == 2 and part.offset + part.size <= len(data)]
    if not code or not tables:
        return
    text = max(code, key=lambda part: part.size)
    for at in range(tables[0].offset, tables[0].offset + tables[0].size - 23, 24):
        start = rng.randrange(max(1, min(text.size, 1 << 20)))
        _put(data, "<B", at + 4, _FUNCTION)
        _put(data, "<Q", at + 8, text.address + start)
        _put(data, "<Q", at + 16, rng.choice((text.size - start, rng.randrange(1, 64), text.size)))


def _relocation(rng: random.Random, data: bytearray, pool: Pool) -> None:
    for _ in range(rng.randint(1, 6)):
        at = _entry(rng, data, (4,))
        if at is not None:
            layout, field = rng.choice((("<Q", 0), ("<I", 8), ("<I", 12), ("<Q", 16)))
            _put(data, layout, at + field, rng.choice((_value(rng, data), rng.randrange(40))))


def _dynamic(rng: random.Random, data: bytearray, pool: Pool) -> None:
    for _ in range(rng.randint(1, 4)):
        at = _entry(rng, data, (6,))
        if at is not None:
            _put(data, "<Q", at + rng.choice((0, 8)), rng.choice((_value(rng, data), rng.randrange(40))))


def _names(rng: random.Random, data: bytearray, pool: Pool) -> None:
    """String tables without a NUL, with bytes that are not UTF-8, or cut."""
    tables = [part for part in _parts(data) if part.kind == _STRINGS and part.offset + part.size <= len(data)]
    if tables:
        table = rng.choice(tables)
        start = table.offset + rng.randrange(table.size + 1)
        end = rng.choice((table.offset + table.size, min(table.offset + table.size, start + 8)))
        data[start:end] = rng.choice((b"A", b"\xff", b"\0", b"\xc3")) * (end - start)


def _machine_code(rng: random.Random, data: bytearray, pool: Pool) -> None:
    """Jumps to themselves and into instructions, tables without end, calls of everything, or random bytes."""
    code = [part for part in _parts(data) if part.flags & 4 and part.size and part.offset + part.size <= len(data)]
    if not code:
        return
    text = max(code, key=lambda part: part.size)
    if rng.random() < 0.3:
        start = rng.randrange(text.size)
        end = min(text.size, start + int(2 ** rng.uniform(1, 14)))
        unit = rng.choice((rng.randbytes(end - start), rng.choice(_CODE), _jumps(rng, end - start)))
        data[text.offset + start : text.offset + end] = (unit * (end - start))[: end - start]
        return
    for _ in range(rng.randint(1, 30)):
        piece = rng.choice((rng.choice(_CODE), rng.randbytes(rng.randint(1, 4)), _jumps(rng, 6)))
        at = text.offset + rng.randrange(text.size)
        if at + len(piece) <= len(data):
            data[at : at + len(piece)] = piece


def _jumps(rng: random.Random, size: int) -> bytes:
    """Conditional jumps, short and near, in all directions, and some arithmetic."""
    found = bytearray()
    while len(found) < size:
        kind = rng.randrange(4)
        if kind == 0:
            found += struct.pack("<BBi", 0x0F, 0x80 + rng.randrange(16), rng.randint(-size, size))
        elif kind == 1:
            found += rng.choice(_CODE)
        else:
            found += bytes(
                [rng.choice((0x70, 0x75, 0xEB)) + 0, rng.choice((rng.randrange(256), 256 - 2 * rng.randint(1, 60)))]
            )
    return bytes(found)


def _jump_tables(rng: random.Random, data: bytearray, pool: Pool) -> None:
    """Constants become offsets that lead nowhere, to themselves, or into the code."""
    constants = [p for p in _parts(data) if p.kind == 1 and not p.flags & 5 and p.offset + p.size <= len(data)]
    constants += [p for p in _parts(data) if p.kind == 1 and p.flags == 2 and p.offset + p.size <= len(data)]
    for part in constants:
        for at in range(part.offset, part.offset + part.size - 3, 4):
            if rng.random() < 0.5:
                _put(data, "<I", at, rng.choice((0, 4, 0x1000, -0x1000, rng.getrandbits(32), -part.address)))


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _flip_near_tables, _truncate, _grow, _splice, _file_header, _segment, _section_header, _section_header,
    _overlap, _symbol, _functions_overlap, _relocation, _dynamic, _names, _machine_code, _machine_code, _jump_tables,
)  # fmt: skip
