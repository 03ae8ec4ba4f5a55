"""Harbor's own package reads the task folders; run where harbor can be imported, which needs Python 3.12."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.export import FORMATS, open_source
from tests.export.conformance import runs

__all__ = ["runs"]  # a fixture

pytestmark = [pytest.mark.rl, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
task_module = pytest.importorskip("harbor.models.task.task", reason="needs Python 3.12 and harbor")


@pytest.fixture
def tasks(runs: list[Path], tmp_path: Path) -> list[Path]:
    with open_source(runs) as source:
        FORMATS["harbor"].write(source, tmp_path / "harbor")
    return [path for path in (tmp_path / "harbor").iterdir() if path.is_dir()]


def test_every_task_folder_is_valid(tasks: list[Path]) -> None:
    assert len(tasks) > 10
    assert [path.name for path in tasks if not task_module.Task.is_valid_dir(path)] == []


def test_nothing_that_a_task_declares_is_unknown_or_lost(tasks: list[Path]) -> None:
    task = task_module.Task(tasks[0])
    assert task.name == f"qdkernel/{tasks[0].name}"
    assert task.instruction.endswith("Write the C file to /app/kernel.c.\n")
    assert task.config.schema_version == "1.4"
    assert task.config.metadata["oracle_gflops"] > 0
    assert set(task.config.verifier.env) == {"QDKERNEL_JUDGE", "QDKERNEL_SERVE_TOKEN"}
    assert (task.config.verifier.timeout_sec, task.config.agent.timeout_sec) == (600.0, 1800.0)
    assert (task.config.environment.cpus, task.config.environment.memory_mb) == (2, 2048)
    assert task.paths.solution_dir.joinpath("solve.sh").is_file()


def test_a_task_folder_without_its_test_is_refused(tasks: list[Path]) -> None:
    (tasks[0] / "tests" / "test.sh").unlink()
    assert not task_module.Task.is_valid_dir(tasks[0])
