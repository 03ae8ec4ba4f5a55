"""A PBS without a queue, for tests: a job starts at once, on this machine, and is killed when its walltime ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_own_names = subprocess.run(["unshare", "--uts", "true"], capture_output=True, check=False).returncode == 0
_NAMESPACE = "unshare --uts" if _own_names else ""  # in which a job can give its host a name of its own
hosts_can_be_named = pytest.mark.skipif(not _NAMESPACE, reason="gives hosts names of their own, which takes root")

_COMMANDS = {
    # A job has none of the submitter's environment.
    "qsub": """touch {folder}/submitted
if [ -e {folder}/limit ] && [ "$(wc -l < {folder}/submitted)" -ge "$(cat {folder}/limit)" ]; then
    echo "qsub: Job would exceed the limit of the account" >&2; exit 1
fi
echo "$*" >> {folder}/submitted
for script; do :; done
limit=$(sed -n 's/^#PBS -l walltime=//p' "$script" | awk -F: '{{ print 3600 * $1 + 60 * $2 + $3 }}')
env -i HOME="$HOME" PATH=/usr/bin:/bin setsid timeout --signal=KILL "$limit" {namespace} bash "$script" \\
    > /dev/null 2>&1 < /dev/null &
cp "$script" {folder}/job-$!
echo $!.server""",
    "qstat": """for job; do case $job in *.server)
    state=F; [ -d /proc/${{job%.server}} ] && state=R
    jobs="$jobs${{jobs:+, }}\\"$job\\": {{\\"job_state\\": \\"$state\\"}}" ;; esac; done
echo "{{\\"Jobs\\": {{$jobs}}}}" """,
    "qdel": """for job; do echo "$job" >> {folder}/deleted; kill -KILL -- -"${{job%.server}}"; done""",
}


@dataclass(frozen=True)
class Pbs:
    """Where the commands write down what they were asked.

    Attributes:
        folder: a file for each job script, and the arguments of ``qsub`` and ``qdel``, a line each call.
    """

    folder: Path

    @property
    def submitted(self) -> list[str]:
        return (self.folder / "submitted").read_text().splitlines()

    @property
    def deleted(self) -> list[str]:
        return (self.folder / "deleted").read_text().split()

    @property
    def jobs(self) -> dict[str, str]:
        """The scripts by the jobs' names."""
        paths = self.folder.glob("job-*")
        return {f"{path.name.removeprefix('job-')}.server": path.read_text() for path in paths}

    def end_jobs(self) -> None:
        """Kills all jobs, as at the end of their walltime."""
        for job in self.jobs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(job.removesuffix(".server")), signal.SIGKILL)

    def accept(self, jobs: int) -> None:
        """How many jobs are accepted in all; without a call there is no limit."""
        (self.folder / "limit").write_text(str(jobs))


def start_pbs(folder: Path, patch: pytest.MonkeyPatch) -> Pbs:
    """Puts the commands of a PBS into ``PATH``."""
    programs = folder / "bin"
    programs.mkdir()
    for name, lines in _COMMANDS.items():
        program = programs / name
        program.write_text("#!/bin/bash\n" + lines.format(folder=folder, namespace=_NAMESPACE) + "\n")
        program.chmod(0o755)
    patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return Pbs(folder)
