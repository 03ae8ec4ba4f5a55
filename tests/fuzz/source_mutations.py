"""Damaged, nested, flooded and spliced C sources."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

LIMIT = 64 << 10
"""Bytes; the source policy accepts no more."""

_TOKEN = re.compile(rb"\w+|\s+|.", re.DOTALL)
_NUMBER = re.compile(rb"\b\d+\b")
_BRACKETS = b"()[]{}<>\"'"
_SPELLINGS = {b"{": b"<%", b"}": b"%>", b"[": b"<:", b"]": b":>", b"#": b"%:"}
_NUMBERS = (
    b"0", b"-1", b"4096", b"2147483648", b"18446744073709551616", b"9" * 400, b"9" * 5000, b"0x" + b"f" * 99, b"08",
    b"1e999",
    b"0b1", b"1.", b".5e+", b"1'000", b"0x1p-3", b"7uLL", b"\xd9\xa3", b"\xc2\xb2", b"\xe2\x91\xa0",
)  # fmt: skip
_FRAGMENTS = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\\\n", b"\\ \n", b"\\", b"??/",
    b"??=", b"%:", b"%:%:", b"<:", b":>", b"/*", b"*/", b"//", b"'", b'"', b'R"(', b'u8R"x(', b"\\u0041", b"#", b"##",
    b"#define", b"#define X X\n", b"#define X Y\n#define Y X\n", b"#define F(x) F(x x)\n", b"#define P(a, b) a##b\n",
    b"#if 0\n", b"#if 1\n", b"#ifdef X\n", b"#ifndef dgemm\n", b"#elif\n", b"#else\n", b"#endif\n", b"#include",
    b"#pragma omp parallel for schedule(static, 8)\n", b"#pragma GCC\n", b'_Pragma("GCC optimize(3)")', b"_Pragma(X)",
    b"__attribute__((", b"[[", b"]]", b"enum {", b"enum { A = A + 1, B = A };\n", b"typedef", b"struct {", b"sizeof(",
    b"for (int i = 0; i < n; i += 64)", b"for (;;)", b"while (", b"do", b"if (0)", b"if (1)", b"else", b"switch (",
    b"min(64, ", b"x ? y : ", b"malloc(", b"memcpy(", b"posix_memalign(", b"posix_memalign()", b"dgemm(",
    b"void dgemm(",
    b"i += ", b"= ", b"+= MC", b"a[i] = b[i];", b"*p++ = *q++;", b"double t[", b"static double pack[4096];\n",
    b"1 << 40",
    b"64 / 0", b"64 % 0", b"1 << -1", b"-", b"~", b"!", b"/* tune: 1..9999999999 step 0 */",
    b"#define T 4 /* tune: 1..64 step 3; text */\n", b"#define T 4 // tune: a, b, 4\n", b"// tune: ..", b"..", b"...",
)  # fmt: skip
_NESTS = (
    (b"(", b")"), (b"{", b"}"), (b"[", b"]"), (b"-", b""), (b"*", b""), (b"!", b""), (b"a?", b":1"), (b"f(", b")"),
    (b"if(x)", b""), (b"for(;;){", b"}"), (b"for(int i=0;i<n;i+=64)", b";"), (b"(int)", b""), (b"sizeof(", b")"),
    (b"#if 0\n", b"#endif\n"), (b"#if X\n", b"#endif\n"), (b"a[", b"]"), (b"a=", b""), (b"x->", b"x"), (b"do ",
    b"while(0);"),
    (b"while(i<n)", b"i++;"), (b"min(1,", b")"), (b"struct{", b"}"), (b"int(*", b")"), (b"case 1:", b""), (b"else ",
    b""),
    (b"__attribute__((", b"))"), (b"1+", b"1"), (b"\"", b""), (b"/*", b""), (b"l:", b""), (b"if(1)x;else ", b""),
)  # fmt: skip

Pool = Sequence[bytes]
Mutation = Callable[[random.Random, bytes, Pool], bytes]


def mutated_source(rng: random.Random, pool: Pool) -> bytes:
    """A source of the pool after one to six mutations, at most 64 KiB."""
    source = rng.choice(pool)
    for _ in range(min(6, 1 + int(rng.expovariate(0.7)))):
        source = rng.choice(MUTATIONS)(rng, source, pool)[:LIMIT]
    return source


def _place(rng: random.Random, source: bytes) -> int:
    return rng.randint(0, len(source))


def _span(rng: random.Random, source: bytes) -> tuple[int, int]:
    """A stretch of any size, short ones more often."""
    start = _place(rng, source)
    return start, min(len(source), start + int(2 ** rng.uniform(0, 11)))


def _count(rng: random.Random, unit: int) -> int:
    """How often to repeat ``unit`` bytes: few times more often than many, one time in twelve up to 64 KiB."""
    most = LIMIT if rng.random() < 1 / 12 else 3000
    return int(max(2.0, most / max(unit, 1)) ** rng.random())


def _flip(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    changed = bytearray(source or b" ")
    for _ in range(rng.randint(1, 12)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    start, end = _span(rng, source)
    return source[:start] + rng.randbytes(min(end - start, 64)) + source[end:]


def _delete(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    start, end = _span(rng, source)
    return source[:start] + source[end:]


def _truncate(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    return source[: _place(rng, source)]


def _duplicate(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    start, end = _span(rng, source)
    return source[:end] + source[start:end] * _count(rng, end - start) + source[end:]


def _splice(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    other = rng.choice(pool)
    return source[: _place(rng, source)] + other[_place(rng, other) :]


def _graft(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    other, at = rng.choice(pool), _place(rng, source)
    start, end = _span(rng, other)
    return source[:at] + other[start:end] + source[at:]


def _swap_tokens(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    tokens = _TOKEN.findall(source) or [b" "]
    for _ in range(rng.randint(1, 8)):
        one, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        tokens[one], tokens[other] = tokens[other], tokens[one]
    return b"".join(tokens)


def _swap_lines(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    lines = source.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _nest(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    opening, closing = rng.choice(_NESTS)
    count, at = _count(rng, len(opening + closing)), _place(rng, source)
    closed = rng.choice((count, count, 0, count - 1, count + 1))
    return source[:at] + opening * count + rng.choice((b"", b"x", b"1", b";")) + closing * closed + source[at:]


def _number(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    chance = rng.choice((0.02, 0.2, 1.0))
    return _NUMBER.sub(lambda match: rng.choice(_NUMBERS) if rng.random() < chance else match[0], source)


def _unbalance(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    places = [i for i, byte in enumerate(source) if byte in _BRACKETS]
    changed = bytearray(source)
    for at in rng.sample(places, min(len(places), rng.randint(1, 4))):
        changed[at] = rng.choice(_BRACKETS + b" ")
    return bytes(changed)


def _insert(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    for _ in range(rng.randint(1, 5)):
        at = _place(rng, source)
        source = source[:at] + rng.choice(_FRAGMENTS) + source[at:]
    return source


def _flood(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    unit = rng.choice((bytes([rng.randrange(256)]), bytes([rng.randrange(33, 127)]), rng.choice(_FRAGMENTS)))
    at, end = _place(rng, source), rng.choice((b"", b"\n", b"*/\n"))
    return source[:at] + (unit + rng.choice((b"", b"", b" ", b"\n"))) * _count(rng, len(unit)) + end + source[at:]


def _respell(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    """Digraphs and continued lines, which change nothing for a compiler."""
    for plain, other in _SPELLINGS.items():
        if rng.random() < 0.5:
            source = source.replace(plain, other)
    at = _place(rng, source)
    return source[:at] + b"\\\n" * rng.randint(0, 3) + source[at:]


def _macros(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    """Chains, rings and towers of macros, each named by the next."""
    count = _count(rng, 24)
    body = rng.choice((b"M%d", b"(M%d + 1)", b"M%d M%d", b"M%d * M%d", b"f(M%d, M%d)"))
    lines = []
    for i in range(count):
        names = ((i + 1) % count, (i + 2) % count)[: body.count(b"%d")]
        lines.append(b"#define M%d " % i + body % names)
    rng.shuffle(lines)
    use = rng.choice((b"", b"\nint tile = M0;\n"))
    return b"\n".join(lines) + use + b"\n" + re.sub(rb"\b\d\d+\b", b"M0", source)


def _one_line(rng: random.Random, source: bytes, pool: Pool) -> bytes:
    return source.replace(b"\n", rng.choice((b" ", b"", b"\n\n", b"\\\n", b"\r", b"\r\n")))


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _overwrite, _delete, _truncate, _duplicate, _splice, _graft, _swap_tokens, _swap_lines, _nest, _number,
    _unbalance, _insert, _insert, _flood, _respell, _macros, _one_line,
)  # fmt: skip
