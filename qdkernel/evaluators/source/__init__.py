"""C source as text: tokens, policy, normal form, syntax tree."""

from qdkernel.evaluators.source.normal_form import normal_hash
from qdkernel.evaluators.source.policy import HEADERS, SIZE_LIMIT, refuse_source
from qdkernel.evaluators.source.syntax import (
    LOOPS,
    Definition,
    Syntax,
    assigned,
    base,
    declared,
    identifiers,
    parse,
    text,
)
from qdkernel.evaluators.source.tokens import Token, tokenize_c

__all__ = [
    "HEADERS",
    "LOOPS",
    "SIZE_LIMIT",
    "Definition",
    "Syntax",
    "Token",
    "assigned",
    "base",
    "declared",
    "identifiers",
    "normal_hash",
    "parse",
    "refuse_source",
    "text",
    "tokenize_c",
]
