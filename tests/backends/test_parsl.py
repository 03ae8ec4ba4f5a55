from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qdkernel.backends import Backend, Done, NodeRequest, PooledBackend
from qdkernel.backends.parsl import ParslCluster
from tests.backends.clusters import identity
from tests.backends.conformance import BackendConformance, drain
from tests.backends.pbs import Pbs, start_pbs
from tests.paths import ROOT

pytestmark = pytest.mark.slow  # engines of their own
pytest.importorskip("parsl", reason="needs Parsl: pip install 'qdkernel[parsl]'")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], ParslCluster]]:
    @functools.cache
    def made(workers: int) -> ParslCluster:
        request = NodeRequest(provider="local", workers=workers)
        return ParslCluster(identity, print, [request], tmp_path_factory.mktemp("parsl"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # Parsl's workers import the tests' functions
        yield made
    for workers in (1, 2, 3):
        made(workers).close()


@pytest.fixture
def pbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pbs:
    return start_pbs(tmp_path, monkeypatch)


def secret_of_a_model(_: int) -> str | None:
    return os.environ.get("KEY_OF_A_MODEL")


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of Parsl's search for this host's addresses
@pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")  # the same, collected
def test_nodes_of_pbs_are_exclusive_jobs_that_hold_no_key_and_end_with_the_cluster(
    pbs: Pbs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_A_MODEL", "sesame")
    request = NodeRequest(
        provider="pbs",
        nodes=2,
        walltime="00:10:00",
        partition="long",
        account="mine",
        options=("#PBS -l filesystems=home",),
        setup=(f"export PYTHONPATH={ROOT}",),
    )
    cluster = ParslCluster(identity, print, [request], pbs.folder, ["KEY_OF_A_MODEL"])
    assert cluster.classes == {"all": 2}
    backend = PooledBackend(cluster.pool("all", secret_of_a_model))
    for number in range(4):
        backend.submit(number, number)
    assert sorted(drain(backend), key=lambda done: done.number) == [Done(number, None) for number in range(4)]
    cluster.close()
    assert [line.rpartition(" ")[0].strip() for line in pbs.submitted] == ["-q long -A mine"] * 2
    for script in pbs.jobs.values():
        lines = script.splitlines()
        assert {"#PBS -l walltime=00:10:00", "#PBS -l place=scatter:excl", "#PBS -l filesystems=home"} <= set(lines)
        assert any(line.startswith("#PBS -l select=1:") for line in lines)
        assert "sesame" not in script
    assert sorted(pbs.deleted) == sorted(pbs.jobs)


def test_the_only_node_takes_no_more_tasks_when_it_is_excluded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cluster = ParslCluster(identity, print, [NodeRequest(provider="local")], tmp_path)
    pool = cluster.pool("all", secret_of_a_model)
    assert pool.submit(0).result() is None
    assert pool.capacity == 2
    pool.exclude(identity().host)
    assert pool.capacity == 0
    cluster.close()


class TestParsl(BackendConformance):
    processes = True

    @pytest.fixture(autouse=True)
    def _cluster(self, cluster: Callable[[int], ParslCluster]) -> None:
        self.cluster = cluster

    def make(self, work: Callable[[Any], Any], workers: int) -> Backend[Any, Any]:
        return PooledBackend(self.cluster(workers).pool("all", work))
