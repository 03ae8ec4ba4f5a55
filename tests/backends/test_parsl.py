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


# A PBS without a queue: a job starts at once, on this machine, with none of the submitter's environment.
_PBS = {
    "qsub": """echo "$*" >> {folder}/submitted
for script; do :; done
env -i HOME="$HOME" PATH=/usr/bin:/bin setsid bash "$script" > /dev/null 2>&1 < /dev/null &
cp "$script" {folder}/job-$!
echo $!.server""",
    "qstat": """for job; do case $job in *.server)
    state=F; [ -d /proc/${{job%.server}} ] && state=R
    jobs="$jobs${{jobs:+, }}\\"$job\\": {{\\"job_state\\": \\"$state\\"}}" ;; esac; done
echo "{{\\"Jobs\\": {{$jobs}}}}" """,
    "qdel": """for job; do echo "$job" >> {folder}/deleted; kill -- -"${{job%.server}}"; done""",
}


@pytest.fixture
def pbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the commands of a PBS write down what they were asked."""
    for name, lines in _PBS.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/bash\n" + lines.format(folder=tmp_path) + "\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def secret_of_a_model(_: int) -> str | None:
    return os.environ.get("KEY_OF_A_MODEL")


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of Parsl's search for this host's addresses
@pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")  # the same, collected
def test_nodes_of_pbs_are_exclusive_jobs_that_hold_no_key_and_end_with_the_cluster(
    pbs: Path, monkeypatch: pytest.MonkeyPatch
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
    cluster = ParslCluster(identity, print, [request], pbs, ["KEY_OF_A_MODEL"])
    assert cluster.classes == {"all": 2}
    backend = PooledBackend(cluster.pool("all", secret_of_a_model))
    for number in range(4):
        backend.submit(number, number)
    assert sorted(drain(backend), key=lambda done: done.number) == [Done(number, None) for number in range(4)]
    cluster.close()
    submitted = (pbs / "submitted").read_text().splitlines()
    assert [line.rpartition(" ")[0].strip() for line in submitted] == ["-q long -A mine"] * 2
    for job in pbs.glob("job-*"):
        lines = job.read_text().splitlines()
        assert {"#PBS -l walltime=00:10:00", "#PBS -l place=scatter:excl", "#PBS -l filesystems=home"} <= set(lines)
        assert any(line.startswith("#PBS -l select=1:") for line in lines)
        assert "sesame" not in job.read_text()
    deleted = (pbs / "deleted").read_text().split()
    assert sorted(deleted) == sorted(f"{job.name.removeprefix('job-')}.server" for job in pbs.glob("job-*"))


def test_the_only_node_takes_no_more_tasks_when_it_is_excluded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cluster = ParslCluster(identity, print, [NodeRequest(provider="local")], tmp_path)
    pool = cluster.pool("all", secret_of_a_model)
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
