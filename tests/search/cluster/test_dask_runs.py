"""Whole runs on a real Dask scheduler whose workers are two processes, taken for two classes of machine."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.runs import EventKind, RunFolder, elites, runs_in
from tests.backends.clusters import Scheduler, dask_cluster
from tests.commands.command_line import run as qdkernel
from tests.conftest import started
from tests.search.cluster.evolving import evaluations, evolve_and_kill, settings

pytest.importorskip("distributed", reason="needs Dask: pip install 'qdkernel[dask]'")
pytestmark = [pytest.mark.slow, pytest.mark.isa("avx2", "fma")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    """A scheduler with a worker of everything that the CPU has, and one of AVX2 only; the last test kills it."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), {}, {"QDKERNEL_ISA": "avx2"}) as made:
        yield made


@pytest.fixture(scope="module")
def run(cluster: Scheduler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 16 evaluations during which a worker was killed."""
    path = tmp_path_factory.mktemp("run") / "run"
    address = cluster.address
    done = evolve_and_kill(path, lambda: a_worker(address), os.environ, "budget.evaluations=16", *on(address))
    assert done.returncode == 0, done.stderr
    return path


def on(scheduler: str) -> tuple[str, ...]:
    return ("evaluators.backend=dask", f"evaluators.scheduler={scheduler}")


def a_worker(scheduler: str) -> int:
    """The process id of one that evaluates."""
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        pids: list[int] = list(client.run(os.getpid).values())
    return pids[0]


def test_each_class_of_machine_has_an_archive_of_its_own(run: Path) -> None:
    widths = {}
    for path in runs_in(run):
        with RunFolder.open(path) as folder:
            assert folder.machine.machine_class == path.name
            assert elites(folder.evaluations.records())
            widths[folder.machine.machine.isa] = folder.facts.simd_widths[-1]
    assert len(widths) == 2
    assert widths["avx2"] == 256


def test_no_kernel_is_lost_with_a_killed_worker_and_the_ledger_adds_up(run: Path) -> None:
    for path in runs_in(run):
        with RunFolder.open(path) as folder:
            assert folder.evaluations.count() == 8
            assert folder.evaluations.unfinished() == []
            assert not [event for event in folder.events.all() if event.kind is EventKind.NODE]


def test_commands_tell_the_classes_apart(run: Path, tmp_path: Path) -> None:
    one, other = runs_in(run)
    shown = qdkernel("show", str(run)).stdout
    assert f"class     {one.name}" in shown
    assert f"class     {other.name}" in shown
    records = qdkernel("export", str(run), "--to", "jsonl").stdout.splitlines()
    assert len(records) == 16
    plotted = qdkernel("plot", str(run), "--out", str(tmp_path)).stdout
    assert {Path(line).parent.name for line in plotted.splitlines()} == {one.name, other.name}
    compared = qdkernel("diff", str(one), str(other))
    assert compared.returncode == 0, compared.stderr
    refused = qdkernel("diff", str(run), str(other))
    assert refused.returncode == 1
    assert "holds an archive for each of 2 classes of machine; give one of them" in refused.stderr


def test_a_run_ends_with_the_reason_when_its_scheduler_goes_and_continues_on_another_one(
    run: Path, cluster: Scheduler, tmp_path: Path
) -> None:
    before = sum(map(evaluations, runs_in(run)))
    resumed = ["evolve", "--resume", *settings(run, "budget.evaluations=24", *on(cluster.address))]
    with started([sys.executable, "-m", "qdkernel", *resumed]) as first:
        while first.poll() is None and sum(map(evaluations, runs_in(run))) <= before:
            time.sleep(0.1)
        cluster.process.kill()
        _, errors = first.communicate(timeout=120)
    assert first.returncode == 1, errors
    assert errors.count("the Dask scheduler does not answer any more") == 1
    assert "continue with --resume" in errors
    with dask_cluster(tmp_path, {}, {"QDKERNEL_ISA": "avx2"}) as other:
        done = qdkernel("evolve", "--resume", *settings(run, "budget.evaluations=24", *on(other.address)))
    assert done.returncode == 0, done.stderr
    assert [evaluations(path) for path in runs_in(run)] == [12, 12]
    for path in runs_in(run):
        with RunFolder.open(path) as folder:
            assert folder.evaluations.unfinished() == []
