"""Pictures: from any run, always the same for the same run, and showing what they claim."""

from __future__ import annotations

import copy
import math
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from qdkernel.analysis import speed_text
from qdkernel.core import AXES, parse_cell, reachable_cells
from qdkernel.errors import RunFolderError
from qdkernel.plots import plot_run
from qdkernel.plots.heatmap import draw_archive
from qdkernel.plots.progress import Progress, draw_progress, progress_of
from qdkernel.plots.projections import draw_projections, project
from qdkernel.plots.roofline import Point, draw_roofline
from qdkernel.plots.run_pictures import picture
from qdkernel.runs import RunFolder
from tests.fake_runs import MACHINE, PEAKS, UNMEASURED, add_elite, breed, new_run

BEST = parse_cell("packed/512/static/near")
WORSE = parse_cell("packed/512/static/far")
NARROW = set(reachable_cells((128, 256)))
NAMES = ["archive.png", "projections.png", "progress.png", "roofline.png"]


def png_size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def texts(figure: Figure) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


@pytest.mark.slow
@pytest.mark.parametrize("evaluations", [0, 1, 40])
def test_a_run_of_any_length_is_drawn(tmp_path: Path, evaluations: int) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, evaluations)
        paths = plot_run(folder)
    assert [path.name for path in paths] == NAMES
    assert all(path.parent == folder.path / "plots" for path in paths)
    assert all(min(png_size(path)) > 1000 for path in paths)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 40)
    with RunFolder.open(folder.path) as reader:
        first, second = plot_run(reader, tmp_path / "a"), plot_run(reader, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_machine_without_measured_peaks_and_baseline_is_enough(tmp_path: Path) -> None:
    with new_run(tmp_path, machine=UNMEASURED) as folder:
        add_elite(folder, BEST, 50.0)
        assert [path.name for path in plot_run(folder)] == NAMES


def test_names_with_dollar_signs_are_drawn_as_they_are(tmp_path: Path) -> None:
    machine: dict[str, Any] = copy.deepcopy(MACHINE)
    machine["baseline"]["name"] = "cheap $BLAS$ _at_ $5"
    machine["machine"]["cpu"] = "$\\frac"
    with new_run(tmp_path, machine) as folder:
        add_elite(folder, BEST, 50.0)
        assert [path.name for path in plot_run(folder)] == NAMES


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with new_run(tmp_path) as folder, pytest.raises(RunFolderError, match="pictures cannot be written there"):
        plot_run(folder, tmp_path / "file")


def test_the_archive_names_every_axis_and_level_and_the_best(tmp_path: Path) -> None:
    figure = Figure(figsize=(13, 9.5))
    draw_archive(figure, {BEST: 91.24, WORSE: 3.0}, set(reachable_cells((128, 256, 512))), title="a title")
    written = texts(figure)
    for axis in AXES:
        assert any(axis.name in text for text in written)
        assert all(any(text.endswith(level) for text in written) for level in axis.levels)
    assert "objective [GFLOP/s]" in written
    assert "best: 91.2 GFLOP/s at packed/512/static/near" in written
    assert {"91", "3.0", "a title", "empty", "out of this machine's reach"} <= set(written)


def squares(figure: Figure) -> dict[str, int]:
    """How many squares the largest panel shows as empty, out of reach and filled."""
    from matplotlib.collections import PatchCollection

    counts = [len(c.get_paths()) for c in figure.axes[0].collections if isinstance(c, PatchCollection)]
    return dict(zip(("empty", "unreachable", "filled"), counts, strict=True))


def test_empty_and_unreachable_cells_differ() -> None:
    figure = Figure(figsize=(13, 9.5))
    draw_archive(figure, {parse_cell("none/scalar/serial/none"): 1.0}, NARROW)
    assert squares(figure) == {"empty": 239, "unreachable": 80, "filled": 1}


def test_an_elite_in_a_cell_out_of_reach_is_still_shown() -> None:
    figure = Figure(figsize=(13, 9.5))
    draw_archive(figure, {BEST: 1.0}, NARROW)
    assert squares(figure) == {"empty": 240, "unreachable": 79, "filled": 1}


def test_numbers_that_do_not_fit_are_left_out() -> None:
    figure = Figure(figsize=(4, 3))
    draw_archive(figure, {BEST: 91.0}, NARROW)
    assert "91" not in texts(figure)


def test_a_projection_takes_the_best_over_the_hidden_axes() -> None:
    assert project({BEST: 5.0, WORSE: 7.0, parse_cell("none/512/static/far"): 1.0}, 0, 1) == {(4, 3): 7.0, (0, 3): 1.0}
    figure = Figure(figsize=(14, 8.5))
    draw_projections(figure, {BEST: 5.0, WORSE: 7.0}, NARROW)
    pairs = [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes[:6]]
    assert pairs == [
        ("blocking", "simd"), ("blocking", "threading"), ("blocking", "prefetch"),
        ("simd", "threading"), ("simd", "prefetch"), ("threading", "prefetch"),
    ]  # fmt: skip
    assert "best objective over the hidden axes [GFLOP/s]" in texts(figure)


def test_progress_is_a_fold_over_the_log(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, BEST, 10.0)
        add_elite(folder, WORSE, 20.0)
        add_elite(folder, BEST, 30.0)
        progress = progress_of(folder.evaluations.records())
        at = [record.evaluation.objective or math.nan for record in folder.evaluations.records()]
    assert progress == Progress(tuple(at), tuple(at), (1, 2, 2), (at[0], at[0] + at[1], at[2] + at[1]))


def test_progress_names_baseline_and_peak() -> None:
    figure = Figure(figsize=(11, 7.5))
    draw_progress(figure, Progress((1.0, math.nan), (1.0, 1.0), (1, 1), (1.0, 1.0)), 320, ("OpenBLAS", 90.0), 108.0)
    assert {"OpenBLAS: 90 GFLOP/s", "measured peak: 108 GFLOP/s", "best elite", "evaluations"} <= set(texts(figure))
    assert "cells filled (of 320)" in texts(figure)


def test_the_roofline_names_peaks_baseline_and_best() -> None:
    figure = Figure(figsize=(11, 7.5))
    point = Point(16.0, 80.0, "m=256", "512")
    draw_roofline(figure.add_subplot(), [point], ("scalar", "512"), PEAKS, 24.0, [point], "OpenBLAS", [point])
    written = set(texts(figure))
    assert {"peak 512: 108 GFLOP/s", "peak scalar: 14 GFLOP/s", "triad 24 GB/s", "OpenBLAS", "SIMD 512"} <= written
    assert "best elite:\n80 GFLOP/s" in written
    assert "SIMD scalar" not in written


def test_the_roof_bends_where_bandwidth_meets_the_peak() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    draw_roofline(ax, [], (), {"512": 108.0}, 24.0)
    [flat, slope] = [np.asarray(line.get_xydata()).tolist() for line in ax.lines]
    assert flat[0] == slope[1] == [4.5, 108.0]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.01"), (0.996, "1.0"), (9.94, "9.9"), (9.96, "10"), (999.0, "999"), (1234.0, "1.2k")]
)
def test_speeds_fit_four_characters(value: float, text: str) -> None:
    assert speed_text(value) == text


def test_the_picture_does_not_depend_on_the_users_settings() -> None:
    import matplotlib

    def draw(figure: Figure) -> None:
        draw_archive(figure, {BEST: 1.0}, NARROW)

    plain = picture((5, 4), draw)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert picture((5, 4), draw) == plain


def test_matplotlib_is_loaded_only_when_a_picture_is_drawn() -> None:
    code = "import sys, qdkernel.plots, qdkernel.export, qdkernel.reports; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
