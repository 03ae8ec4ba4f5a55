"""An archive on another machine: this one, taken to have less than what the archive was made on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from qdkernel.core import parse_cell
from qdkernel.runs import RunFolder, elites
from tests.evolving import BUSY, as_arguments, command
from tests.forked import run_forked

pytestmark = [pytest.mark.slow, pytest.mark.isa("avx2", "fma")]

SmallRun = tuple[Path, subprocess.CompletedProcess[str]]
ELSEWHERE = {**os.environ, "QDKERNEL_ISA": "sse2"}


def elites_of(run: Path) -> dict[str, str]:
    """The cell's name of each elite, by kernel."""
    with RunFolder.open(run) as folder:
        found = elites(folder.evaluations.records())
        return {record.evaluation.kernel_id: "/".join(map(str, cell)) for cell, record in found.items()}


def test_bench_here_says_what_carries_over_cell_by_cell(small_run: SmallRun) -> None:
    run = small_run[0]
    done = run_forked(["bench", str(run), "--here", "--repeats", "1", "--json", *as_arguments(BUSY)], ELSEWHERE)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    found = report["elites"]
    assert {each["id"]: "/".join(map(str, parse_cell(each["cell_there"]))) for each in found} == elites_of(run)
    right = [each for each in found if each["outcome"] == "ok"]
    assert right
    assert all(each["ratio_there"] > 0 and each["ratio_here"] > 0 for each in right)
    assert {each["cell_here"].split("/")[1] for each in right} <= {"scalar", "128"}
    assert report["passed"] == len(right)
    assert report["moved"] == sum(each["cell_here"] != each["cell_there"] for each in right) > 0
    assert report["still_winners"] == sum(each["still_wins"] for each in found)
    assert -1 <= report["rank_correlation"] <= 1


def test_a_search_starts_from_the_elites_of_another_machine_and_reports_what_carried_over(
    small_run: SmallRun, tmp_path: Path
) -> None:
    there, run = small_run[0], tmp_path / "run"
    carried = elites_of(there)
    evaluations = len(carried) + 2  # the problem's own seed, and one proposal from what the elites became
    settings = ("budget.minutes=null", f"budget.evaluations={evaluations}")
    done = run_forked(command("gemm.yaml", run, *settings, more=["--seed-from", str(there)]), ELSEWHERE)
    assert done.returncode == 0, done.stderr
    with RunFolder.open(run) as folder:
        records = list(folder.evaluations.records())
        assert folder.machine.machine.isa == "sse2"
    assert len(records) == evaluations
    assert set(carried) <= {record.evaluation.kernel_id for record in records if record.proposal.operator == "seed"}
    assert f"of {len(carried)} elites are right and timed here" in done.stdout
    assert "still win their cell; the best" in done.stdout
