"""Nodes of unlike speed, and jobs that end, under Parsl: a PBS on this machine whose jobs have host names."""

from __future__ import annotations

import platform
import sys
import threading
import time
from pathlib import Path

import pytest

from qdkernel.backends import Done, NodeRequest, PooledBackend
from qdkernel.backends.parsl import ParslCluster
from qdkernel.cli import main
from qdkernel.core import Evaluation, Kernel, Outcome
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationSpec, EvaluationTask
from qdkernel.runs import RunFolder, runs_in
from qdkernel.search.cluster.node import NodeReport, NodeSpec, NodeTask
from qdkernel.search.cluster.node_backend import NodeBackend
from qdkernel.search.cluster.peers import Peers
from tests.backends.clusters import identity
from tests.backends.pbs import Pbs, hosts_can_be_named, start_pbs
from tests.backends.work import slow_square
from tests.paths import ROOT
from tests.search.cluster.evolving import evaluations, settings
from tests.search.cluster.test_parsl_runs import evaluators
from tests.search.offline import configured

pytest.importorskip("parsl", reason="needs Parsl: pip install 'qdkernel[parsl]'")
pytestmark = [
    pytest.mark.slow,
    # Of Parsl's search for this host's addresses.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _jobs_are_looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    # Seconds; the 60 of Parsl spare a scheduler that many users share.
    monkeypatch.setattr("parsl.providers.PBSProProvider.status_polling_interval", 1)


TASK = EvaluationTask(EvaluationSpec("dgemm", "", CompileSpec("gcc", ())), Kernel("void dgemm(void);"))


def report(task: NodeTask) -> NodeReport:
    """What a node sends back whose baseline makes 100 or, on the host ``slow``, 50 GFLOP/s."""
    host = platform.node()
    time.sleep(0.1)
    assert task.task is not None
    evaluation = Evaluation(task.task.kernel.id, Outcome.COMPILE_ERROR, host)
    return NodeReport(host, (50.0 if host == "slow" else 100.0,), evaluation=evaluation)


def evaluate(backend: NodeBackend, tasks: int) -> set[str]:
    """The hosts that evaluated so many tasks."""
    for number in range(tasks):
        backend.submit(number, TASK)
    done: list[Done[Evaluation]] = []
    while backend.pending:
        done += backend.completed()
    assert len(done) == tasks
    return {each.result.detail for each in done if each.result}


@hosts_can_be_named
def test_of_two_nodes_the_slow_one_gets_no_more_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_pbs(tmp_path, monkeypatch)
    name = f"mkdir {tmp_path}/first 2> /dev/null && hostname fast || hostname slow"
    request = NodeRequest(provider="pbs", nodes=2, setup=(f"export PYTHONPATH={ROOT}", name))
    cluster = ParslCluster(identity, print, [request], tmp_path)
    notes: list[str] = []
    backend = NodeBackend(
        cluster.pool("all", report), NodeSpec(configured(1), "all"), Peers(0.05, 0.15, notes.append), notes.append
    )
    assert backend.capacity == 4
    deadline = time.monotonic() + 60
    while not notes and time.monotonic() < deadline:  # until both nodes are there
        evaluate(backend, 4)
    assert notes == ["node slow gets no more kernels: its baseline is 50% slower than the median of its peers"]
    assert backend.capacity == 2
    assert evaluate(backend, 6) == {"fast"}
    backend.close()
    cluster.close()


def test_when_a_walltime_ends_another_job_follows_and_no_task_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pbs = start_pbs(tmp_path, monkeypatch)
    request = NodeRequest(provider="pbs", walltime="00:00:08", setup=(f"export PYTHONPATH={ROOT}",))
    cluster = ParslCluster(identity, print, [request], tmp_path)
    backend = PooledBackend(cluster.pool("all", slow_square))
    number = 0
    while len(pbs.submitted) < 2 or backend.pending:
        while len(pbs.submitted) < 2 and backend.pending < backend.capacity:
            backend.submit(number, number)
            number += 1
        assert all(done.result == done.number**2 for done in backend.completed())
    assert backend.pending == 0
    backend.close()
    cluster.close()


def evolve(patch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of a run in this process."""
    patch.setattr(sys, "argv", ["qdkernel", "evolve", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def end_jobs_after(count: int, path: Path, pbs: Pbs) -> None:
    """Ends the jobs when so many evaluations were committed, or after a while."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and sum(map(evaluations, runs_in(path))) < count:
        time.sleep(0.1)
    pbs.end_jobs()


def test_when_a_job_ends_and_no_other_is_accepted_the_run_ends_with_the_reason_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pbs = start_pbs(tmp_path, monkeypatch)
    path = tmp_path / "run"
    command = settings(path, f"evaluators={evaluators(tmp_path, provider='pbs')}")
    pbs.accept(1)
    ending = threading.Thread(target=end_jobs_after, args=(2, path, pbs))
    ending.start()
    assert evolve(monkeypatch, *command, "--set", "budget.evaluations=1000") == 1
    ending.join()
    reason = capsys.readouterr().err
    assert reason.count("Parsl cannot get nodes") == reason.count("would exceed the limit of the account") == 1
    assert "continue with --resume" in reason
    [run] = runs_in(path)
    done = evaluations(run)
    assert done >= 2
    pbs.accept(2)
    assert evolve(monkeypatch, "--resume", *command, "--set", f"budget.evaluations={done + 2}") == 0
    with RunFolder.open(run) as folder:
        assert folder.evaluations.count() == done + 2
        assert folder.evaluations.unfinished() == []
