"""C source as text: tokens, preprocessed text, policy, normal form, syntax tree."""

from qdkernel.evaluators.source.constants import Constants
from qdkernel.evaluators.source.normal_form import normal_hash
from qdkernel.evaluators.source.policy import HEADERS, SIZE_LIMIT, refuse_bytes, refuse_source
from qdkernel.evaluators.source.preprocessed import (
    PROBED_FILE,
    Preprocessed,
    needs_preprocessor,
    read_preprocessed,
    with_probes,
)
from qdkernel.evaluators.source.syntax import (
    LOOPS,
    Definition,
    Syntax,
    assigned,
    base,
    declared,
    identifier,
    identifiers,
    parse,
    text,
    tree_of,
)
from qdkernel.evaluators.source.tokens import Token, tokenize_c

__all__ = [
    "HEADERS",
    "LOOPS",
    "PROBED_FILE",
    "SIZE_LIMIT",
    "Constants",
    "Definition",
    "Preprocessed",
    "Syntax",
    "Token",
    "assigned",
    "base",
    "declared",
    "identifier",
    "identifiers",
    "needs_preprocessor",
    "normal_hash",
    "parse",
    "read_preprocessed",
    "refuse_bytes",
    "refuse_source",
    "text",
    "tokenize_c",
    "tree_of",
    "with_probes",
]
