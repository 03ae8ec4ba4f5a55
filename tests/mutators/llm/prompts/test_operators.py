from __future__ import annotations

import pytest

from qdkernel.mutators import MODEL_OPERATORS
from tests.mutators.briefs import ARCHIVE, prompt_brief

PARENT = ARCHIVE[3]  # cache+register/256/dynamic/none


@pytest.mark.parametrize(
    ("target", "suiting"),
    [
        (None, {"edit", "rewrite", "cross", "plan"}),
        ("cache+register/256/dynamic/near", {"edit", "cross", "plan"}),
        ("packed/256/dynamic/none", {"rewrite", "cross", "plan"}),
    ],
)
def test_edits_suit_where_the_blocking_stays_and_whole_files_where_it_changes(
    target: str | None, suiting: set[str]
) -> None:
    brief = prompt_brief(PARENT, target)
    assert {name for name, operator in MODEL_OPERATORS.items() if operator.suits(brief)} == suiting


def test_plans_begin_with_the_largest_weight() -> None:
    assert max(MODEL_OPERATORS.values(), key=lambda operator: operator.prior).name == "plan"
