"""Trials before a run: what counts as a fault of the set-up."""

from __future__ import annotations

import pytest

from qdkernel.errors import ToolchainError
from qdkernel.evaluators.pipeline import EvaluationContext, check_setup, preflight, verify_only

KILLED = "compile_error: the compiler was killed by SIGKILL"


@pytest.mark.parametrize(("killed", "refused"), [(1, False), (2, True)])
def test_a_compiler_that_is_killed_once_is_no_fault_of_the_set_up(
    killed: int, refused: bool, context: EvaluationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = iter([KILLED] * killed)
    monkeypatch.setattr(
        preflight, "verify_only", lambda *args: (None, told) if (told := next(trials, "")) else verify_only(*args)
    )
    if refused:
        with pytest.raises(ToolchainError, match=KILLED):
            check_setup(context)
    else:
        check_setup(context)
