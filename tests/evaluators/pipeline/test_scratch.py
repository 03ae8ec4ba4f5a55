"""Scratch folders: which of them are removed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from qdkernel.evaluators.pipeline import SharedScratch


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
