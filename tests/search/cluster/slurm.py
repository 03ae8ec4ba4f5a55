"""A real Slurm of one node, this machine, for tests: munge, controller and node daemon, started as root."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo")


def lacking() -> str:
    """Why Slurm cannot be started here; empty when it can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if missing:
        return f"needs {', '.join(missing)}: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "starts the daemons of Slurm, which takes root"


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[Path]:
    """A running Slurm with the partition ``test``; yields its configuration file, for ``SLURM_CONF``."""
    folder.chmod(0o755)
    munge, conf = folder / "munge", folder / "slurm.conf"
    for made in (munge, folder / "state", folder / "spool"):
        made.mkdir(mode=0o755)
    key = munge / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    conf.write_text(_configuration(folder, munge / "socket"))
    files = {"key-file": key, "socket": munge / "socket", "pid-file": munge / "pid", "seed-file": munge / "seed"}
    options = [f"--{name}={path}" for name, path in {**files, "log-file": munge / "log"}.items()]
    with contextlib.ExitStack() as daemons:
        _start(daemons, ["munged", "--foreground", "--force", *options])
        _wait(lambda: (munge / "socket").exists(), "munge made no socket")
        _start(daemons, ["slurmctld", "-D", "-f", str(conf)])
        _start(daemons, ["slurmd", "-D", "-f", str(conf)])
        _wait(lambda: "idle" in _states(conf), f"the node did not become idle; see {folder}")
        yield conf


def _configuration(folder: Path, munge_socket: Path) -> str:
    host = platform.node()
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
    return f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={munge_socket}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def _start(daemons: contextlib.ExitStack, command: list[str]) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin"
    found = shutil.which(command[0], path=path)
    assert found is not None
    process = subprocess.Popen([found, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    daemons.callback(process.wait)
    daemons.callback(process.terminate)


def _states(conf: Path) -> str:
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    asked = ["sinfo", "--noheader", "--format=%T"]
    return subprocess.run(asked, env=environment, capture_output=True, text=True, check=False).stdout


def _wait(ready: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.1)
