"""A disk that is full: of the run folder, and of a node."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qdkernel.runs import RunFolder, elites
from tests.evolving import command
from tests.forked import run_forked

pytestmark = pytest.mark.slow

Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Makes a small file system in memory, or gives it another size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def sized(size: str) -> Path:
        options = f"size={size}" if not os.path.ismount(folder) else f"remount,size={size}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"mounts a small file system, which takes root: {done.stderr.strip()}")
        return folder

    yield sized
    with contextlib.suppress(OSError):
        subprocess.run(["umount", "--lazy", folder], check=False)


def test_a_run_whose_disk_fills_up_stops_with_the_reason_and_continues_with_room(disk: Disk) -> None:
    run = disk("400k") / "run"
    settings = ("budget.minutes=null", "budget.evaluations=80")
    stopped = run_forked(command("gemm.yaml", run, *settings))
    assert stopped.returncode == 1, stopped.stderr
    [reason] = [line for line in stopped.stderr.splitlines() if line.startswith("qdkernel: ") and "full" in line]
    assert "Traceback" not in stopped.stderr
    disk("64m")
    with RunFolder.open(run) as folder:
        before, in_flight = folder.evaluations.count(), len(folder.evaluations.unfinished())
    assert 0 < before < 80, reason
    whole = before + in_flight + 2
    settings = ("budget.minutes=null", f"budget.evaluations={whole}")
    done = run_forked(command("gemm.yaml", run, *settings, more=["--resume"]))
    assert done.returncode == 0, done.stderr
    with RunFolder.open(run) as folder:
        records = list(folder.evaluations.records())
        assert folder.evaluations.unfinished() == []
    assert len(records) == whole
    assert len({record.proposal_id for record in records}) == whole
    assert len(list((run / "elites").glob("*.c"))) == len(elites(records))


ASK = """
import sys
from pathlib import Path
from qdkernel.config import load_config
from qdkernel.search.cluster.groups import plain_config
from qdkernel.search.cluster.node import Identify, NodeSpec, NodeTask, perform_on_node
config = plain_config(load_config(Path(sys.argv[1]), ["sizes=[48]", "threads=1"]))
print(perform_on_node(NodeTask(NodeSpec(config, Identify(config)().machine_class))).unfit)
"""


def test_a_node_whose_disk_is_full_says_so(disk: Disk) -> None:
    folder = disk("16k")
    (folder / "full").write_bytes(bytes(12 << 10))
    config = command("gemm.yaml", folder)[1]
    environment = {**os.environ, "TMPDIR": str(folder)}
    told = subprocess.run(
        [sys.executable, "-c", ASK, config], capture_output=True, text=True, env=environment, timeout=60
    )
    assert "No space left on device" in told.stdout, told.stderr
