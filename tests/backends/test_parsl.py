from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qdkernel.backends import Backend, NodeRequest, PooledBackend
from qdkernel.backends.parsl import ParslCluster
from tests.backends.clusters import identity
from tests.backends.conformance import BackendConformance
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


class TestParsl(BackendConformance):
    processes = True

    @pytest.fixture(autouse=True)
    def _cluster(self, cluster: Callable[[int], ParslCluster]) -> None:
        self.cluster = cluster

    def make(self, work: Callable[[Any], Any], workers: int) -> Backend[Any, Any]:
        return PooledBackend(self.cluster(workers).pool("all", work))
