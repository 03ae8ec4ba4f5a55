"""Scratch folders: which of them are removed, and what workers read there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from qdkernel.core import Cell, Kernel, KernelId
from qdkernel.evaluators.pipeline import SharedScratch
from qdkernel.evaluators.pipeline.scratch import Incumbent


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of a process that has ended; scratch folders are made in an empty folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_scratch_of_a_killed_run_is_removed(gone: int, tmp_path: Path) -> None:
    left = tmp_path / f"qdkernel-{gone}-left"
    left.mkdir()
    (left / "lock").touch()
    made = SharedScratch.make()
    assert not left.exists()
    made.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_removal_was_interrupted_is_removed(gone: int, tmp_path: Path) -> None:
    emptied, begun = tmp_path / f"qdkernel-{gone}-emptied", tmp_path / f"qdkernel-{gone}-begun"
    for folder in (emptied, begun):
        folder.mkdir()
    os.utime(emptied, (0, 0))
    SharedScratch.make().remove()
    assert list(tmp_path.iterdir()) == [begun]  # a run may be about to put its lock there


def test_the_scratch_of_a_run_whose_process_cannot_be_seen_stays_as_long_as_it_is_in_use(
    gone: int, tmp_path: Path
) -> None:
    elsewhere = SharedScratch.make()
    hidden = tmp_path / f"qdkernel-{gone}-hidden"  # as a run in another container shows
    os.rename(elsewhere.folder, hidden)
    elsewhere.folder = hidden
    SharedScratch.make().remove()
    assert hidden.exists()
    elsewhere.remove()
    assert not hidden.exists()


CELL = Cell(4, 3, 0, 0)


def test_the_first_kernel_with_a_hash_stays_until_the_hash_is_dropped(tmp_path: Path) -> None:
    writer, reader = SharedScratch(tmp_path), SharedScratch(tmp_path)
    hashes = [f"ab{number:062}" for number in range(3)]  # in one file
    for number, code in enumerate([*hashes, hashes[1]]):
        writer.add_known(code, KernelId(f"kernel-{number}"))
    assert [reader.known(code) for code in hashes] == ["kernel-0", "kernel-1", "kernel-2"]
    writer.remove_known(hashes[1])
    assert [reader.known(code) for code in hashes] == ["kernel-0", None, "kernel-2"]
    assert reader.known("cd" * 32) is None


def test_the_last_incumbent_counts_and_the_source_of_the_one_before_is_dropped(tmp_path: Path) -> None:
    writer, reader = SharedScratch(tmp_path), SharedScratch(tmp_path)
    first, second = Kernel("int a;\r\n"), Kernel("int b;\n")
    assert reader.incumbent(CELL) is None
    writer.set_incumbent(CELL, first, 1.5, bound=True)
    assert reader.source(first.id) == first.source
    writer.set_incumbent(CELL, second, 2.5)
    assert reader.incumbent(CELL) == Incumbent(second.id, 2.5)
    assert (reader.holds(first.id), reader.holds(second.id)) == (False, True)
    writer.remove_incumbent(CELL)
    assert reader.incumbent(CELL) is None
    assert not reader.holds(second.id)


def test_a_line_that_is_being_written_does_not_count_yet(tmp_path: Path) -> None:
    scratch, kernel, code = SharedScratch(tmp_path), Kernel("int a;\n"), "ab" * 32
    scratch.set_incumbent(CELL, kernel, 1.5)
    for path in (tmp_path / "incumbents" / "4-3-0-0", tmp_path / "known" / "ab"):
        with path.open("a") as file:
            file.write(f"{code} 2")
    assert scratch.known(code) is None
    assert scratch.incumbent(CELL) == Incumbent(kernel.id, 1.5)
