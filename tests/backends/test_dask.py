from __future__ import annotations

import functools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qdkernel.backends import Backend, PooledBackend
from qdkernel.backends.dask import DaskCluster
from qdkernel.errors import ConfigError, QdkernelError
from tests.backends.clusters import dask_cluster, identity
from tests.backends.conformance import BackendConformance, drain

pytestmark = pytest.mark.slow  # engines of their own
pytest.importorskip("distributed", reason="needs Dask: pip install 'qdkernel[dask]'")


@functools.cache
def cluster(workers: int) -> DaskCluster:
    return DaskCluster(identity, print, None, workers)


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    for workers in (1, 2, 3):
        cluster(workers).close()
    cluster.cache_clear()


class TestDask(BackendConformance):
    processes = True

    def make(self, work: Callable[[Any], Any], workers: int) -> Backend[Any, Any]:
        return PooledBackend(cluster(workers).pool("all", work))


def test_an_address_without_a_scheduler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdkernel.backends.dask._CONNECT_S", 1.0)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        DaskCluster(identity, print, "tcp://127.0.0.1:9", 1)


def test_tasks_of_a_lost_node_and_of_one_behind_a_cut_run_on_the_node_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "2s")
    with dask_cluster(tmp_path, {}, {}, {}) as scheduler:
        cluster = DaskCluster(identity, print, scheduler.address, 0)
        while cluster.classes["all"] < 3:
            time.sleep(0.1)
        backend = PooledBackend(cluster.pool("all", time.sleep))
        assert backend.capacity == 6
        for number in range(3):
            backend.submit(number, 1.0)
        scheduler.signal_node(0, signal.SIGKILL)
        scheduler.signal_node(1, signal.SIGSTOP)  # to its peers a stopped process looks as one behind a cut cable
        assert sorted(done.number for done in drain(backend)) == [0, 1, 2]
        assert backend.capacity == 2
        cluster.close()
        scheduler.signal_node(1, signal.SIGKILL)


def test_a_scheduler_that_goes_ends_every_task_with_the_reason(tmp_path: Path) -> None:
    with dask_cluster(tmp_path, {}) as scheduler:
        lost = DaskCluster(identity, print, scheduler.address, 0)
        backend = PooledBackend(lost.pool("all", time.sleep))
        backend.submit(1, 60.0)
        backend.submit(2, 60.0)
        scheduler.process.kill()
        with pytest.raises(QdkernelError, match="the Dask scheduler does not answer any more"):
            backend.completed()
        backend.close()
        lost.close()
