"""Step 1 of an evaluation: what a kernel's text may not contain, and what to write instead.

The check keeps honest kernels comparable (none changes the run's flags) and removes cheap attacks on the compiler.
It is not what contains a hostile kernel: the confined compiler, the object policy and the contained child are.

Where the compiler's preprocessor could read the source, the rules apply to the lines that it kept and to what they
expanded to; what stands under a false condition, or in a macro that is never used, is not compiled. Where it could not
(an error, or no end by its deadline) they apply to the whole text, and assume the worst of macros.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

from qdkernel.evaluators.source.preprocessed import Preprocessed, defines
from qdkernel.evaluators.source.tokens import Token, Tokens, directive, tokenize_c

SIZE_LIMIT = 64 << 10
"""Largest source in bytes; also bounds what a constant table can hide."""

HEADERS = frozenset({
    "immintrin.h", "x86intrin.h", "math.h", "omp.h", "stddef.h", "stdint.h", "stdlib.h", "string.h", "stdbool.h",
    "float.h", "limits.h", "stdalign.h", "arm_neon.h", "arm_sve.h",
})  # fmt: skip
"""Headers a kernel may include, in angle brackets or quotes; so may the parts of ``immintrin.h``."""

_INTRINSICS = re.compile(r"\w+intrin\.h|mm_malloc\.h")  # immintrin.h and x86intrin.h include all of them

_DIRECTIVES = frozenset({
    "include", "define", "undef", "if", "ifdef", "ifndef", "elif", "elifdef", "elifndef", "else", "endif", "error",
    "warning", "pragma",
})  # fmt: skip
_ASM = frozenset({"asm", "__asm", "__asm__"})
_ATTRIBUTE = frozenset({"__attribute__", "__attribute"})
_ATTRIBUTES = frozenset({
    "constructor", "destructor", "ifunc", "alias", "weakref", "section", "cleanup", "optimize", "target",
    "target_clones", "naked", "interrupt", "symver", "init_priority", "retain",
})  # fmt: skip
_GCC_PRAGMAS = frozenset({"unroll", "ivdep", "diagnostic"})
_BANNED_PRAGMAS = frozenset(
    {"weak", "redefine_extname", "push_macro", "pop_macro", "scalar_storage_order", "extern_prefix"}
)
_OPTION_WORDS = frozenset({"optimize", "target", "push_options", "pop_options", "reset_options", "pch_preprocess"})
_WORDS = {
    "__has_include": "include what you need; a header that is missing is a compile error",
    "__has_include_next": "include what you need; a header that is missing is a compile error",
    "__has_embed": "write constants into the source",
    "__DATE__": "a kernel compiles to the same code every day",
    "__TIME__": "a kernel compiles to the same code every day",
    "__TIMESTAMP__": "a kernel compiles to the same code every day",
}
_TRIGRAPH = re.compile(r"\?\?[=/'()!<>-]")
# Control characters (they would paint over a terminal), and characters of no width or that reorder the text, with
# which a reader sees other code than the compiler (Boucher & Anderson 2021, "Trojan Source").
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_MAX_ATTRIBUTE = 128  # tokens; honest ones have a dozen. Bounds the work on hostile text
_MAX_PIECES = 4  # a word is pasted from more parts only on purpose; then the object policy decides


def refuse_source(source: bytes, function: str, preprocessed: Preprocessed | None = None) -> str | None:
    """Why the source is refused and what to do instead, with the line; ``None`` when it may be compiled.

    Args:
        source: any bytes.
        function: name of the problem's function, which the source must define.
        preprocessed: what the compiler's preprocessor made of it; ``None`` where that is not known.
    """
    if reason := refuse_bytes(source, function):
        return reason
    tokens = tokenize_c(source.decode("utf-8-sig"))  # a mark of byte order is no part of line 1
    for token, reason in _spelling(tokens, tokens if preprocessed is None else preprocessed.live):
        return f"line {tokens.line_of(token)}: {reason}"
    if preprocessed is not None:
        return _refuse_preprocessed(preprocessed, function)
    for rule in _RULES:
        for token, reason in rule(tokens):
            return f"line {tokens.line_of(token)}: {reason}"
    return None if defines(tokens, function) else _undefined(function)


def refuse_bytes(source: bytes, function: str) -> str | None:
    """Why bytes are refused that no tool should read, the preprocessor included; ``None`` for sound text."""
    if not source.strip():
        return f"the source is empty; define {function}"
    if len(source) > SIZE_LIMIT:
        return f"the source has {len(source)} bytes; at most {SIZE_LIMIT} are accepted: shorten it, e.g. with macros"
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        return f"line {line}: byte {source[error.start]:#04x} is not UTF-8; save the file as UTF-8"
    if match := _UNSEEN.search(text):
        line, number = text.count("\n", 0, match.start()) + 1, ord(match[0])
        what = f"the invisible character U+{number:04X}" if number else "a NUL byte"
        return f"line {line}: {what}; remove it"
    if "\r" in text and "\n" not in text:
        return "line 1: the lines end in CR alone, so all of it is one line to a compiler; save it with LF or CR LF"
    return None


def _refuse_preprocessed(preprocessed: Preprocessed, function: str) -> str | None:
    """The rules for the lines that are compiled, then those for what they expand to."""
    live, expanded = preprocessed.live, preprocessed.expanded
    for rule in _LIVE_RULES:
        for token, reason in rule(live):
            return f"line {live.line_of(token)}: {reason}"
    if _SUSPECT.search(expanded.text):  # most sources have none of it; tokens of a long text take time
        for rule in _EXPANDED_RULES:
            for token, reason in rule(expanded.tokens):
                return f"line {expanded.line_of(token)}: {reason}"
    return None if defines(live, function) or defines(expanded.tokens, function) else _undefined(function)


def _undefined(function: str) -> str:
    return f"no definition of {function} found; write it out as in the prototype"


_Complaint = tuple[Token, str]


def _spelling(tokens: Tokens, live: Tokens) -> Iterator[_Complaint]:
    """Spellings that hide the meaning of the text.

    Trigraphs and raw strings move the ends of comments and conditions, so they are refused wherever they stand.
    """
    if match := _TRIGRAPH.search(tokens.joined):
        yield Token("sign", match[0], match.start()), f"{match[0]} is a trigraph; write the character itself"
    for token in tokens.all:
        if token.kind == "raw":
            yield token, "a raw string; write an ordinary one"
    for token in live.all:
        if token.kind == "word" and "\\" in token.text:
            yield token, f"{token.text!r} spells a character by its number; write the character itself"
        elif token.kind == "word" and not token.text.isascii():
            yield token, f"the name {token.text!r} has letters beyond ASCII, which look like others; rename it"


def _banned_words(tokens: Tokens) -> Iterator[_Complaint]:
    for token in tokens.all:
        if token.kind != "word":
            continue
        if token.text in _ASM:
            yield token, f"{token.text}: no assembly; use intrinsics or vector extensions"


def _never_expanded(tokens: Tokens) -> Iterator[_Complaint]:
    """Words that the preprocessor itself replaces."""
    for token in tokens.all:
        if token.kind == "word" and token.text in _WORDS:
            yield token, f"{token.text} is not accepted: {_WORDS[token.text]}"


def _directives(tokens: Tokens) -> Iterator[_Complaint]:
    for line in tokens.lines:
        name = directive(line)
        if not name:
            continue
        if name not in _DIRECTIVES:
            yield line[0], f"#{name} is not accepted; known are {', '.join(sorted(_DIRECTIVES))}"
        if name == "include":
            header = "".join(token.text for token in line[2:])
            if not _is_permitted(header):
                listed = " ".join(sorted(HEADERS))
                yield line[0], f"#include {header[:80]}: only these may be included: {listed}"
        if name == "pragma":
            reason = _pragma([token.text for token in line[2:]])
            if reason:
                yield line[0], reason


def _is_permitted(header: str) -> bool:
    """Whether ``<name>`` or ``"name"`` is a header that a kernel may include."""
    name = header[1:-1]
    known = name in HEADERS or _INTRINSICS.fullmatch(name) is not None
    return known and header in (f"<{name}>", f'"{name}"')


def _pragma(words: Sequence[str]) -> str | None:
    """Why a pragma is refused."""
    if words[:1] == ["GCC"]:
        if words[1:2] and words[1] in _GCC_PRAGMAS:
            return None
        return (
            f"#pragma {' '.join(words[:2])}: the flags are the run's; of GCC's pragmas only unroll, ivdep are accepted"
        )
    if words and words[0] in _BANNED_PRAGMAS:
        return f"#pragma {words[0]} is not accepted; remove it"
    return None


def _expanded_pragmas(tokens: Tokens) -> Iterator[_Complaint]:
    """Pragmas as the preprocessor leaves them, those that macros and ``_Pragma`` made included."""
    for line in tokens.lines:
        if directive(line) == "pragma" and (reason := _pragma([token.text for token in line[2:]])):
            yield line[0], reason


def _pragma_operators(tokens: Tokens) -> Iterator[_Complaint]:
    """``_Pragma``, whose text may be a string or come out of a macro."""
    everything = tokens.all
    for i, token in enumerate(everything):
        if token.text not in ("_Pragma", "__pragma") or token.kind != "word":
            continue
        argument = everything[i + 2 : i + 3]
        if argument and argument[0].kind == "string":
            text = re.sub(r"\\(.)", r"\1", argument[0].text.partition('"')[2][:-1])
            reason = _pragma([t.text for t in tokenize_c(text).all])
            if reason:
                yield token, reason
        elif hidden := tokens.words & (_OPTION_WORDS | _BANNED_PRAGMAS):
            yield token, f"_Pragma through a macro, and the word {min(hidden)!r}: the flags are the run's; remove both"


def _attributes(tokens: Tokens) -> Iterator[_Complaint]:
    """Attributes that run code at load time, move it, or change its flags."""
    defines = [line for line in tokens.lines if directive(line) == "define" and len(line) > 2]
    spans = sorted((line[0].at, line[-1].at) for line in defines)
    if not _banned_attributes(tokens.words):
        return  # most sources; looking into thousands of attributes takes a second
    everywhere, leads = _banned_attributes(_code_words(tokens)), _leads(defines)
    for start, token in enumerate(tokens.all):
        doubled = token.text == "[" and tokens.all[start + 1 : start + 2] and tokens.all[start + 1].text == "["
        if token.text not in _ATTRIBUTE and not doubled:
            continue
        inside = _inside(tokens.all, start)
        place = bisect_right(spans, (token.at, len(tokens.joined))) - 1
        if inside is None or (place >= 0 and token.at <= spans[place][1]):
            found = everywhere  # overlong, or in a macro: an argument may bring in any word of the source
        else:
            words = {token.text for token in inside if token.kind == "word"}
            found = _banned_attributes(words).union(*(leads.get(word, ()) for word in words))
        if found:
            yield token, f"attribute {min(found)!r} is not accepted; the flags and the layout are the run's: remove it"


def _banned_attributes(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.strip("_") for word in words) & _ATTRIBUTES


def _inside(everything: Sequence[Token], start: int) -> Sequence[Token] | None:
    """The tokens of an attribute up to the closing bracket that matches; ``None`` when it has too many."""
    depth = int(everything[start].text == "[")
    for end in range(start + 1, min(start + _MAX_ATTRIBUTE, len(everything))):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(everything[end].text, 0)
        if depth <= 0 and end > start + 1:
            return everything[start + 1 : end]
    return None


def _leads(defines: Iterable[Sequence[Token]]) -> Mapping[str, Set[str]]:
    """The banned attributes that each macro may bring in, by any of its definitions and through other macros too."""
    users: dict[str, set[str]] = defaultdict(set)  # macros by the words of their replacements
    for line in defines:
        for token in line[3:]:
            if token.kind == "word":
                users[token.text].add(line[2].text)
    leads: dict[str, set[str]] = defaultdict(set)
    for word in list(users):
        for attribute in _banned_attributes([word]):
            pending = [word]
            while pending:
                for name in users.get(pending.pop(), ()):
                    if attribute not in leads[name]:
                        leads[name].add(attribute)
                        pending.append(name)
    return leads


def _code_words(tokens: Tokens) -> Iterator[str]:
    """Words outside of pragmas: OpenMP has sections and targets of its own."""
    for line in tokens.lines:
        if directive(line) != "pragma":
            yield from (token.text for token in line if token.kind == "word")


def _pasting(tokens: Tokens) -> Iterator[_Complaint]:
    """Banned words that ``##`` could build out of pieces that stand in pasting macros and their arguments."""
    pasting = [line for line in tokens.lines if directive(line) == "define" and any(t.text == "##" for t in line)]
    if not pasting:
        return
    pieces = {t.text for line in pasting for t in line if t.kind == "word"} | set(_macro_arguments(tokens))
    for word in sorted(_ASM | _ATTRIBUTE | {"_Pragma"} | (_ATTRIBUTES if tokens.words & _ATTRIBUTE else set())):
        if _assembles(word, pieces - {word}, _MAX_PIECES):
            yield pasting[0][0], f"## could paste {word!r} out of its arguments; rename them or write the text out"


def _assembles(word: str, pieces: set[str], left: int) -> bool:
    if not word:
        return True
    ends = (end for end in range(1, len(word) + 1) if word[:end] in pieces)
    return left > 0 and any(_assembles(word[end:], pieces, left - 1) for end in ends)


def _macro_arguments(tokens: Tokens) -> Iterator[str]:
    """Words that are a whole argument of one of the source's own macros."""
    macros = {line[2].text for line in tokens.lines if directive(line) == "define" and len(line) > 3}
    everything = tokens.all
    inside = 0
    for before, token, after in zip(everything, everything[1:], everything[2:], strict=False):
        if inside:
            inside += {"(": 1, ")": -1}.get(token.text, 0)
        elif token.text == "(" and before.text in macros:
            inside = 1
        if inside and token.kind == "word" and before.text in "(," and after.text in "),":
            yield token.text


_Rule = Callable[[Tokens], Iterator[_Complaint]]
_RULES: tuple[_Rule, ...] = (_directives, _banned_words, _never_expanded, _attributes, _pragma_operators, _pasting)
_LIVE_RULES: tuple[_Rule, ...] = (_directives, _never_expanded)
_EXPANDED_RULES: tuple[_Rule, ...] = (_expanded_pragmas, _banned_words, _attributes)
_SUSPECT = re.compile(r"\b_*(?:asm|attribute)_*\b|\[\s*\[|<:|\\[uU]|^#pragma (?!omp\b|qdkernel\b)", re.MULTILINE)
