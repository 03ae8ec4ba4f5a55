"""Integer constants in C text: what a tile size is worth, through macros, enums, variables and simple arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qdkernel.evaluators.source.tokens import tokenize_c

_BINARY: Mapping[str, int] = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip
_SIZES: Mapping[str, int] = {
    "double": 8, "float": 4, "int": 4, "long": 8, "short": 2, "char": 1, "int64_t": 8, "int32_t": 4, "size_t": 8,
    "__m128d": 16, "__m256d": 32, "__m512d": 64, "__m128": 16, "__m256": 32, "__m512": 64,
}  # fmt: skip
_TYPE_WORDS = frozenset({*_SIZES, "unsigned", "signed", "const", "ptrdiff_t", "uint32_t", "uint64_t", "void", "*"})
_MAX_NESTING = 24  # of brackets, and of names for other names; a limit against hostile text
_LIMIT = 1 << 40


class Constants:
    """The names of a source that may stand for an integer.

    Args:
        meanings: name -> the texts that it is defined, initialised or assigned as. The first that has a value counts.
    """

    def __init__(self, meanings: Mapping[str, Sequence[str]]) -> None:
        self._meanings = meanings
        self._known: dict[str, int | None] = {}

    def value(self, text: str) -> int | None:
        """The integer that an expression is worth, or ``None``.

        A minimum or a choice of which one side has a value is worth that side: ``min(MC, m - ic)`` and
        ``m - ic < MC ? m - ic : MC`` are tiles of ``MC`` but for the last one.
        """
        return self._value(text, 0)

    def _value(self, text: str, nesting: int) -> int | None:
        stripped = text.strip()
        if stripped.isascii() and stripped.isdigit():  # other alphabets' digits are no number in C
            return int(stripped[:15])
        if len(text) > 400:
            return None  # no tile size is spelt like this, and it bounds the work
        words = [token.text for token in tokenize_c(text).all]
        return _Expression(words, self, nesting).whole() if words else None

    def name(self, name: str, nesting: int) -> int | None:
        """The integer that a name stands for."""
        if name not in self._known:
            self._known[name] = None  # ends names that are defined by themselves
            if nesting < _MAX_NESTING:
                values = (self._value(text, nesting + 1) for text in self._meanings.get(name, ()))
                self._known[name] = next((value for value in values if value is not None), None)
        return self._known[name]


class _Expression:
    """A parser of one expression that computes while it reads."""

    def __init__(self, words: Sequence[str], constants: Constants, nesting: int) -> None:
        self._words = [*words, ""]
        self._at = 0
        self._constants = constants
        self._nesting = nesting

    def whole(self) -> int | None:
        value = self._choice(0)
        return value if self._words[self._at] == "" else None

    def _take(self) -> str:
        word = self._words[self._at]
        self._at += word != ""
        return word

    def _choice(self, depth: int) -> int | None:
        condition = self._operation(1, depth)
        if self._words[self._at] != "?" or depth > _MAX_NESTING:
            return condition
        self._take()
        yes = self._choice(depth + 1)
        if self._take() != ":":
            return None
        no = self._choice(depth + 1)
        if condition is not None:
            return yes if condition else no
        return _known_side(yes, no)

    def _operation(self, least: int, depth: int) -> int | None:
        left = self._operand(depth)
        while (rank := _BINARY.get(self._words[self._at], 0)) >= least:
            sign = self._take()
            left = _computed(sign, left, self._operation(rank + 1, depth))
        return left

    def _operand(self, depth: int) -> int | None:
        word = self._take()
        if depth > _MAX_NESTING:
            return None
        if word in ("-", "+", "!", "~"):
            value = self._operand(depth + 1)
            return None if value is None else {"-": -value, "+": value, "!": int(not value), "~": ~value}[word]
        if word == "(":
            return self._bracket(depth)
        if word[:1].isdigit():
            return _number(word)
        if word == "sizeof":
            return self._size()
        if self._words[self._at] == "(" and (word[:1].isalpha() or word[:1] == "_"):
            return self._call(depth)
        return self._constants.name(word, self._nesting)

    def _bracket(self, depth: int) -> int | None:
        start = self._at
        while self._words[self._at] in _TYPE_WORDS:
            self._take()
        if self._at > start and self._words[self._at] == ")":  # a cast
            self._take()
            return self._operand(depth + 1)
        self._at = start
        value = self._choice(depth + 1)
        return value if self._take() == ")" else None

    def _size(self) -> int | None:
        size = None
        if self._take() == "(":
            while (word := self._take()) not in (")", ""):
                size = 8 if word == "*" else _SIZES.get(word, size)
        return size

    def _call(self, depth: int) -> int | None:
        self._take()
        values = [self._choice(depth + 1)]
        while self._words[self._at] == ",":
            self._take()
            values.append(self._choice(depth + 1))
        if self._take() != ")" or len(values) != 2:
            return None
        return _known_side(values[0], values[1])


def _known_side(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _number(word: str) -> int | None:
    try:
        return int(word.rstrip("uUlL")[:20], 0) if word.isascii() else None
    except ValueError:  # a floating-point literal, or an octal one
        return None


def _computed(sign: str, left: int | None, right: int | None) -> int | None:
    if left is None or right is None or max(abs(left), abs(right)) > _LIMIT:
        return None
    if sign in ("/", "%"):
        return None if right == 0 else (left // right if sign == "/" else left % right)
    if sign in ("<<", ">>"):
        if not 0 <= right < 40:
            return None
        return left << right if sign == "<<" else left >> right
    return int(_SIMPLE[sign](left, right))


_SIMPLE: Mapping[str, Callable[[int, int], int]] = {
    "+": int.__add__, "-": int.__sub__, "*": int.__mul__, "|": int.__or__, "&": int.__and__, "^": int.__xor__,
    "==": int.__eq__, "!=": int.__ne__, "<": int.__lt__, ">": int.__gt__, "<=": int.__le__, ">=": int.__ge__,
    "||": lambda a, b: a or b, "&&": lambda a, b: a and b,
}  # fmt: skip
