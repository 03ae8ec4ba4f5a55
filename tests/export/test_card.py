"""The dataset card states whether elites were called far beyond the scored sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qdkernel.core import Outcome
from qdkernel.export import FORMATS, open_source


def test_the_card_states_which_elites_were_called_far_beyond_the_scored_sizes(runs: list[Path], tmp_path: Path) -> None:
    with open_source(runs) as source:
        again = [Outcome.OK, Outcome.OK, Outcome.WRONG, Outcome.CRASHED, Outcome.LOST]
        for name, outcomes in (("plain", None), ("again", again)):
            FORMATS["trl-sft"].write(replace(source, again=outcomes), tmp_path / name)
    plain, judged_again = (" ".join((tmp_path / name / "README.md").read_text().split()) for name in ("plain", "again"))
    assert "No kernel was called far beyond the scored sizes for this export" in plain
    assert "Elites were timed again" not in plain
    assert "They were also called far beyond the scored sizes" in judged_again
    found = "2 passed, 2 failed (recorded as failures), 1 ended otherwise, e.g. lost (recorded as before)."
    assert f"Of 5 elites {found}" in judged_again
    assert "No kernel was called far beyond" not in judged_again
