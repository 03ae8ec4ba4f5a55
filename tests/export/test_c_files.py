"""Elites as files: complete, current, safe."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qdkernel.analysis import lineage, ratio_to_baseline
from qdkernel.core import Placement, Proposal, parse_cell
from qdkernel.errors import RunFolderError
from qdkernel.export import write_elites
from qdkernel.runs import RunFolder, elites
from tests.fake_runs import add_by_model, add_elite, kernel, new_run, ok, timed_as, timing

CELL = parse_cell("packed/512/static/near")
OTHER = parse_cell("cache+register/256/serial/none")


def test_each_filled_cell_has_a_file_that_tells_what_the_kernel_is(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        naive = add_elite(folder, parse_cell("none/scalar/serial/none"), 1.0, operator="seed", idea="by the definition")
        best = add_elite(folder, CELL, 90.0, parents=(naive.id,), idea="pack B")
        paths = write_elites(folder)
        assert [path.name for path in paths] == ["none-scalar-serial-none.c", "packed-512-static-near.c"]
        text = paths[1].read_text()
    header, source = text.split("*/\n", 1)
    assert source == "#include <stddef.h>\n\n" + best.source
    assert f" * kernel     {best.id}\n" in header
    assert " * objective  85.38 GFLOP/s, geometric mean over the scored sizes\n" in header
    assert " * baseline   0.929 times OpenBLAS 0.3.34 [0.920, 0.938]\n" in header
    assert " * behaviour  packed/512/static/near\n" in header
    assert " *   simd       512: 512-bit FMA x24 in dgemm\n" in header
    assert f" *   {best.id[:8]} schedule: pack B\n *   {naive.id[:8]} seed: by the definition\n" in header
    name = "packed-512-static-near"
    assert f" * compile    gcc -O3 -march=native -fopenmp -fPIC -shared -o {name}.so {name}.c\n" in header


def test_a_header_tells_the_model_and_how_often_the_kernel_was_timed(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        made = add_by_model(folder, CELL, 80.0, "big */ int evil; /*")
        folder.evaluations.add_remeasurement(1, ok(made, CELL, 90.0))
        [path] = write_elites(folder)
    header = path.read_text().split(" */\n#include")[0]
    assert " * objective  80.5 GFLOP/s, geometric mean over the scored sizes; timed 2 times\n" in header
    assert f" *   {made.id[:8]} edit by big * / int evil; / *: pack B\n" in header


@pytest.mark.parametrize(
    "idea",
    [
        "*/ int evil; /*",
        "**//**/",
        "ends with *",
        "/* opens",
        "two\nlines \\\n*/ int evil;",
        "\x1b[31m??/\r*/",
        "é \ud800",
        "",
    ],
)
def test_no_idea_can_leave_the_header_comment(tmp_path: Path, idea: str) -> None:
    with new_run(tmp_path) as folder:
        made = add_elite(folder, CELL, 5.0, idea=idea, operator="*/")
        [path] = write_elites(folder)
    content = path.read_bytes()
    assert content.index(b"*/") == content.index(b" */\n#include <stddef.h>\n") + 1
    assert content.count(b"/*", 0, content.index(b"*/")) == 1
    assert all(char.isprintable() or char == "\n" for char in content.partition(b" */\n#include")[0].decode())
    command = ["gcc", "-Wall", "-Wcomment", "-Werror", "-c", str(path), "-o", str(tmp_path / "elite.o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert content.endswith(made.source.encode())


def test_files_of_cells_that_emptied_go_and_a_users_own_stay(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 5.0)
        folder_of_elites = folder.path / "elites"
        (folder_of_elites / "none-scalar-serial-none.c").write_text("stale")
        (folder_of_elites / "mine.c").write_text("mine")
        (folder_of_elites / "packed-512-static-near.c").write_text("old")
        write_elites(folder)
        assert sorted(path.name for path in folder_of_elites.iterdir()) == ["mine.c", "packed-512-static-near.c"]
        assert "pack B into panels" in (folder_of_elites / "packed-512-static-near.c").read_text()


def test_a_run_without_elites_writes_none(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        assert write_elites(folder) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        (folder.path / "elites").rmdir()
        (folder.path / "elites").write_text("in the way")
        with pytest.raises(RunFolderError, match=r"elites: elites cannot be written there"):
            write_elites(folder)


def test_lineage_lists_every_ancestor_once_and_parents_first(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        made = [kernel(name) for name in "abcd"]
        a, b, c, d = made
        parents = {a: (d.id,), b: (a.id,), c: (a.id,), d: (b.id, c.id, "f" * 64)}  # a circle, as after a re-evaluation
        for subject in made:
            number = folder.evaluations.add_proposal(Proposal(subject, "cross", "", tuple(parents[subject])))  # type: ignore[arg-type]
            folder.evaluations.add(number, ok(subject, OTHER, 2.0), Placement.IMPROVED, {})
        origins = {record.proposal.kernel.id: record for record in folder.evaluations.records()}
        [incumbent] = elites(folder.evaluations.records()).values()
    assert [record.proposal.kernel for record in lineage(incumbent, origins)] == [b, c, a]


def test_the_ratio_to_the_baseline_is_the_geometric_mean_over_sizes() -> None:
    subject = ok(kernel("x"), CELL, 50.0)
    subject = timed_as(
        subject, (timing({"m": 8, "n": 8, "k": 8}, 2.0, 1.0), timing({"m": 9, "n": 9, "k": 9}, 8.0, 1.0))
    )
    ratio = ratio_to_baseline(subject)
    assert ratio is not None
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((4.0, 3.96, 4.04))


def test_reading_only_needs_no_rights_to_open_elites(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 5.0)
    with RunFolder.open(folder.path) as reader:
        assert [path.name for path in write_elites(reader)] == ["packed-512-static-near.c"]
