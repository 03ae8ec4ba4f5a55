"""Where the race checker's libraries are looked for, and what a user is told without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.commands.judge import check
from qdkernel.errors import ToolchainError
from qdkernel.evaluators.races import RaceRuntime, find_race_runtime, lacking_race_runtime, runtime
from qdkernel.evaluators.toolchain import find_toolchain
from tests.compiled import dgemm
from tests.conftest import FLAGS
from tests.evaluators.races.test_watch import RIGHT_BY_LUCK, needs_runtime
from tests.evolving import BUSY, as_arguments
from tests.forked import run_forked

TWO = ["threads=2", "sizes=[48]", "timing.budget_s=0.02", "timing.rounds_min=2", "timing.rounds_max=2"]
SETTINGS = as_arguments((*BUSY, *TWO))


def libraries(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_the_newest_runtime_that_has_both_libraries_is_taken(tmp_path: Path) -> None:
    libraries(tmp_path / "llvm-9" / "lib", "libomp.so.5", "libarcher.so")
    newest = libraries(tmp_path / "llvm-14" / "lib", "libomp.so.5", "libarcher.so")
    libraries(tmp_path / "llvm-19" / "lib", "libomp.so.5")
    pattern = str(tmp_path / "llvm-*" / "lib")
    assert find_race_runtime([pattern]) == RaceRuntime(newest / "libomp.so.5", newest / "libarcher.so")
    assert find_race_runtime([str(tmp_path / "none")]) is None


def test_a_host_without_the_libraries_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "find_race_runtime", lambda: None)
    lacking_race_runtime.cache_clear()
    try:
        reason = lacking_race_runtime(find_toolchain("gcc", FLAGS))
    finally:
        lacking_race_runtime.cache_clear()
    assert reason is not None
    assert "no libarcher.so beside a libomp.so.5; install" in reason
    assert "apt install libomp-dev" in reason


@needs_runtime
@pytest.mark.slow
def test_check_races_tells_both_lines(tmp_path: Path) -> None:
    file = tmp_path / "racy.c"
    file.write_text(RIGHT_BY_LUCK)
    done = run_forked(["check", str(file), "--problem", "dgemm", "--races", *SETTINGS])
    assert done.returncode == 1, done.stderr
    assert f"{file}: race\nline " in done.stdout
    assert "scratch = alpha;" in done.stdout


def test_check_refuses_races_where_kernels_cannot_be_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(check, "lacking_race_runtime", lambda _: "no libarcher.so")
    file = tmp_path / "kernel.c"
    file.write_text(dgemm(""))
    with pytest.raises(ToolchainError, match=r"--races: kernels cannot be watched for races here: no libarcher\.so"):
        check.check(file, "dgemm", TWO, as_json=False, races=True)
