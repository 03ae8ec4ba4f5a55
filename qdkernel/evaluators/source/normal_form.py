"""The token-normal form of a kernel: equal for sources that differ in comments, blanks and own names only."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator

from qdkernel.core import LIBRARY_NAMES
from qdkernel.evaluators.source.tokens import Token, Tokens, directive, is_function_like, tokenize_c

_KEYWORDS = frozenset({
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed",
    "sizeof", "static", "struct", "switch", "typedef", "typeof", "union", "unsigned", "void", "volatile", "while",
    "bool", "true", "false", "defined", "asm", "alignas", "alignof", "noreturn", "static_assert", "thread_local",
    "nullptr", "complex", "imaginary",
})  # fmt: skip
# Names of the language's extensions, of intrinsics and of OpenMP: all that begins like this belongs to the compiler.
_FOREIGN = re.compile(r"_|omp_|GOMP_|v(?:ld|st|add|mul|fma|mla|dup|get|set)\w*q?_")
_TYPE = re.compile(r"\w+_t\Z")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*\Z")
# What a header may declare without being called: a clash would make different programs equal.
_HEADER_NAMES = frozenset({
    "stdin", "stdout", "stderr", "errno", "environ", "signgam", "timezone", "daylight",
})  # fmt: skip


def normal_hash(source: str) -> str:
    """SHA-256 of the source's token-normal form, 64 hexadecimal digits.

    Comments and blanks are gone, and the kernel's own names (variables, parameters, static functions, macros) are
    numbered in order of first appearance. Keywords, preprocessor, names that stand in a pragma, types of headers,
    library functions and constants, intrinsics and literals stay, so that only sources of one meaning are equal: a
    variable called ``dynamic`` does not make two schedules the same. Any text has a hash.
    """
    digest = hashlib.sha256()
    for text in _normal_texts(tokenize_c(source)):
        digest.update(text.encode("utf-8", "surrogatepass") + b" ")
    return digest.hexdigest()


def _normal_texts(tokens: Tokens) -> Iterator[str]:
    own = _own_names(tokens)
    numbers: dict[str, str] = {}
    for line in tokens.lines:
        name = directive(line)
        for i, token in enumerate(line):
            if token.kind != "word" or token.text not in own or (name is not None and i == 1) or name == "include":
                yield token.text
            else:
                yield numbers.setdefault(token.text, f"v{len(numbers)}")
        if name == "define" and is_function_like(line):
            yield "with parameters"
        if name is not None:
            yield "\n"  # a directive ends with its line; elsewhere lines mean nothing


def _own_names(tokens: Tokens) -> frozenset[str]:
    """The words that the source itself gives a meaning to."""
    defined = {line[2].text for line in tokens.lines if directive(line) == "define" and len(line) > 2}
    code = [token for line in tokens.lines if directive(line) != "pragma" for token in line]
    in_pragmas = {token.text for line in tokens.lines if directive(line) == "pragma" for token in line}
    kept = _KEYWORDS | _HEADER_NAMES | LIBRARY_NAMES | in_pragmas
    enumerated = set(_enumerators(code))
    bodies = set(_function_names(code))
    called = {token.text for token, after in itertools.pairwise(code) if after.text == "("}
    typed = {token.text for token, after in itertools.pairwise(code) if after.text == ";"}
    found = set()
    for token in code:
        word = token.text
        if token.kind != "word" or word in kept:
            continue
        if word in defined or word in bodies or word in enumerated:
            found.add(word)
        elif _FOREIGN.match(word) or _CONSTANT.match(word) or word in called:
            continue
        elif not _TYPE.match(word) or word in typed:
            found.add(word)
    return frozenset(found)


def _enumerators(code: list[Token]) -> Iterator[str]:
    inside = False
    for before, token in itertools.pairwise(code):
        if before.text == "enum" or (token.text == "{" and before.kind == "word" and inside):
            inside = True
        elif token.text in "};":
            inside = False
        if inside and token.kind == "word" and before.text in "{,":
            yield token.text


def _function_names(code: list[Token]) -> Iterator[str]:
    """Names followed by brackets and a body, at file level."""
    depth, brackets, name = 0, 0, ""
    for before, token in itertools.pairwise(code):
        if token.text == "{":
            if depth == 0 and name and before.text == ")":
                yield name
            depth += 1
        elif token.text == "}":
            depth = max(0, depth - 1)
        elif token.text == "(" and depth == 0:
            if brackets == 0 and before.kind == "word" and "attribute" not in before.text:
                name = before.text
            brackets += 1
        elif token.text == ")" and depth == 0:
            brackets = max(0, brackets - 1)
