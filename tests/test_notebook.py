"""A run in a notebook: tables, lineage, pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import qdkernel
from qdkernel.errors import UnknownName
from tests.paths import ROOT
from tests.web.runs import MARK, hostile_run, usual_run


def test_evaluations_are_rows_with_the_same_columns(tmp_path: Path) -> None:
    run = qdkernel.open_run(usual_run(tmp_path, 40))
    rows = run.evaluations()
    assert [row["number"] for row in rows] == list(range(1, 43))
    assert len({tuple(row) for row in rows}) == 1
    assert {row["outcome"] for row in rows} >= {"ok", "wrong"}
    assert len(run.timings()) == 2 * sum(row["outcome"] == "ok" for row in rows)


def test_elites_come_fastest_first_with_their_levels(tmp_path: Path) -> None:
    best, *rest = qdkernel.open_run(usual_run(tmp_path)).elites()
    assert (best["cell"], best["blocking"], best["simd"]) == ("packed/512/static/near", "packed", "512")
    assert [row["gflops"] for row in rest] == sorted((row["gflops"] for row in rest), reverse=True)


def test_a_lineage_tells_the_gain_of_each_step(tmp_path: Path) -> None:
    run = qdkernel.open_run(usual_run(tmp_path))
    rows = run.lineage(run.elites()[0]["kernel"][:16])
    assert [row["gain"] for row in rows] == [pytest.approx(95 / 90), None]
    assert "/* faster */" in run.source(rows[0]["kernel"])
    assert "/* faster */" not in run.source(rows[1]["kernel"])


def test_an_id_that_fits_none_or_several_is_refused(tmp_path: Path) -> None:
    run = qdkernel.open_run(usual_run(tmp_path))
    with pytest.raises(UnknownName, match=r"expected the id of one kernel of .*, got 'xyz', which fits 0"):
        run.lineage("xyz")
    with pytest.raises(UnknownName, match="got '', which fits 122"):
        run.source("")


def test_plots_draw_on_given_axes(tmp_path: Path) -> None:
    run = qdkernel.open_run(usual_run(tmp_path))
    figure = Figure()
    left, right = figure.subplots(1, 2)
    run.plot_progress(left)
    run.plot_archive(right)
    assert left.get_ylabel() == "GFLOP/s"
    assert max(left.lines[1].get_ydata()) == pytest.approx(run.elites()[0]["gflops"])
    assert {text.get_text() for text in right.texts} >= {"90"}
    figure.canvas.draw()


def test_a_run_shows_itself_in_a_notebook_without_scripts(tmp_path: Path) -> None:
    shown = qdkernel.open_run(hostile_run(tmp_path))._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert 'sandbox=""' in shown
    assert shown.count("<") == 2
    assert f"<script>window.{MARK}" not in shown


def test_the_example_runs(tmp_path: Path) -> None:
    run, out = usual_run(tmp_path), tmp_path / "run.png"
    command = [sys.executable, str(ROOT / "examples" / "look_at_a_run.py"), str(run), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "packed/512/static/near" in done.stdout
    assert out.read_bytes().startswith(b"\x89PNG")
