"""Whole runs on nodes that Parsl starts: by its local provider, and through a real Slurm."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from qdkernel.runs import RunFolder, elites, runs_in
from tests.search.cluster.evolving import evolve_and_kill
from tests.search.cluster.slurm import lacking, slurm

pytest.importorskip("parsl", reason="needs Parsl: pip install 'qdkernel[parsl]'")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slurm_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    if reason := lacking():
        pytest.skip(reason)
    with slurm(tmp_path_factory.mktemp("slurm")) as conf:
        yield {**os.environ, "SLURM_CONF": str(conf)}


def a_worker(within: Path) -> int:
    """The process id of a worker of a run: of what its node's pool started last, after its own helpers."""
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if "process_worker_pool" in command and str(within) in command:
            return max(child.pid for child in process.children() if "spawn_main" in " ".join(child.cmdline()))
    raise AssertionError("no worker of Parsl is there")


def check(path: Path, environment: Mapping[str, str], nodes: str) -> None:
    done = evolve_and_kill(
        path, lambda: a_worker(path.parent), environment, "budget.evaluations=6", f"evaluators={nodes}"
    )
    assert done.returncode == 0, done.stderr
    [only] = runs_in(path)
    with RunFolder.open(path) as folder:
        assert folder.path == only
        assert folder.evaluations.count() == 6
        assert folder.evaluations.unfinished() == []
        assert elites(folder.evaluations.records())


def evaluators(shared: Path, **node: str) -> str:
    cache = os.environ.get("QDKERNEL_CACHE")
    setup = f", setup: ['export QDKERNEL_CACHE={cache}']" if cache else ""
    entries = ", ".join(f"{name}: {value}" for name, value in node.items())
    return f"{{backend: parsl, shared: {shared}, nodes: [{{{entries}{setup}}}]}}"


def test_a_run_by_the_local_provider_survives_the_death_of_a_worker(tmp_path: Path) -> None:
    check(tmp_path / "run", os.environ, evaluators(tmp_path, provider="local"))


def test_a_run_through_slurm_survives_the_death_of_a_worker(
    slurm_environment: Mapping[str, str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    nodes = evaluators(tmp_path, provider="slurm", partition="test", walltime="'00:10:00'")
    check(tmp_path / "run", slurm_environment, nodes)
