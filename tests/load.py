"""A heavy mixed load: good, hanging, crashing, cheating and broken kernels in one run; and random kills."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from qdkernel.core import Outcome
from qdkernel.evaluators.toolchain import cache_dir
from qdkernel.runs import RunFolder
from tests.compiled import HEAD
from tests.evolving import QUICK, WORKERS, as_arguments
from tests.llm_server import NUM_KERNELS, REPLIES, kernel_source


def _body(text: str) -> str:
    return f"#include <stdlib.h>\n#include <string.h>\n{HEAD}\n{{\n    {text}\n}}\n"


def _of_reply(name: str) -> str:
    return REPLIES[name].split("```c\n")[1].split("```")[0]


KINDS: dict[str, tuple[Callable[[int], str], frozenset[Outcome]]] = {
    "good": (lambda n: kernel_source(n % NUM_KERNELS), frozenset({Outcome.OK, Outcome.DUPLICATE})),
    "hangs": (lambda n: _body(f"volatile int x = {n + 1}; while (x) {{}}"), frozenset({Outcome.TIMEOUT})),
    "crashes": (lambda n: _body(f"*(volatile int *){8 * n + 8} = 1;"), frozenset({Outcome.CRASHED, Outcome.DUPLICATE})),
    "gives up": (lambda n: _body(f"C[0] = {n}; abort();"), frozenset({Outcome.CRASHED, Outcome.DUPLICATE})),
    "does nothing": (lambda n: _body(f"if (m == {-n - 2}) C[0] = 1;"), frozenset({Outcome.WRONG, Outcome.DUPLICATE})),
    "remembers": (
        lambda n: f"/* {n} */\n" + _of_reply("cheat").replace("> 40", f"> {20 + n % 40}"),
        frozenset({Outcome.WRONG, Outcome.DUPLICATE}),
    ),
    "starts programs": (
        lambda n: "int system(const char *);\n" + _body(f'system("true {n}");'),
        frozenset({Outcome.POLICY_VIOLATION, Outcome.DUPLICATE}),
    ),
    "eats memory": (
        lambda n: _body(f"char *p = malloc({n + 1}ul << 33); memset(p, 1, {n + 1}ul << 33); C[0] = p[7];"),
        frozenset({Outcome.CRASHED, Outcome.DUPLICATE}),
    ),
    "is no C": (lambda n: f"{HEAD} {{ this is kernel {n} }}", frozenset({Outcome.COMPILE_ERROR})),
}
"""Kernels of each kind, different for each number, and how they may end."""

_SHARES = {"good": 8, "hangs": 1}  # most should be timed, and a hanging kernel costs its whole deadline


@dataclass
class Peak:
    """The most that was seen of something while the run went on, by half of the run."""

    memory_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)


def write_kernels(folder: Path, count: int) -> dict[str, str]:
    """Writes ``count`` kernel files; returns each file's kind by its name."""
    cycle = [kind for kind in KINDS for _ in range(_SHARES.get(kind, 2))]
    kinds = {}
    for number in range(count):
        kind = cycle[number % len(cycle)]
        name = f"{number:05}.c"
        (folder / name).write_text(KINDS[kind][0](number))
        kinds[name] = kind
    return kinds


def write_config(folder: Path, kinds: dict[str, str]) -> Path:
    """A configuration whose seeds are these kernels, with nothing else to propose once they are done."""
    seeds = "".join(f"  - {name}\n" for name in kinds)
    path = folder / "load.yaml"
    path.write_text(
        f"problem: dgemm\nbudget: {{evaluations: {len(kinds) + 1}}}\nmutators: [{{name: tune}}]\nseeds:\n{seeds}"
    )
    return path


def command(config: Path, run: Path, resume: bool = False) -> list[str]:
    """``qdkernel evolve`` with quick settings."""
    quick = (*QUICK, WORKERS, "timing.quiet_s=10", "limits.run_s=0.5")
    more = ["--resume"] if resume else []
    return [sys.executable, "-m", "qdkernel", "evolve", str(config), "--out", str(run), *more, *as_arguments(quick)]


def watch(process: subprocess.Popen[bytes], every_s: float = 1.0) -> Peak:
    """Samples memory, open files and children of the run's processes until it ends."""
    peak, me = Peak(), psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [me, *me.children(recursive=True)]
            workers = [p for p in family if p.name() != "runner"]
            peak.memory_mb.append(sum(p.memory_info().rss for p in workers) / 2**20)
            peak.files.append(sum(p.num_fds() for p in workers))
            peak.children.append(len(family))
        except psutil.Error:
            pass  # one of them has just ended
        time.sleep(every_s)
    return peak


def kill_at_random(config: Path, run: Path, kills: int, rng: random.Random) -> list[int]:
    """Kills main process, workers or contained children at random moments, resuming after each; returns their pids.

    A session whose compiler or seed was killed may refuse to go on; the last one is resumed until it has, thrice at
    most.
    """
    process = start(config, run)
    mains = [process.pid]
    for _ in range(kills):
        time.sleep(rng.uniform(0.5, 3.0))
        victim = choose_victim(process, rng)
        if victim is not None:
            victim.kill()
        if process.poll() is not None or (victim is not None and victim.pid == process.pid):
            process.wait()
            process = start(config, run)
            mains.append(process.pid)
    for _ in range(3):
        if process.wait() == 0:
            break
        process = start(config, run)
        mains.append(process.pid)
    process.wait()
    return mains


def start(config: Path, run: Path) -> subprocess.Popen[bytes]:
    """Starts the run, or resumes it."""
    resume = (run / "run.db").exists()
    return subprocess.Popen(command(config, run, resume), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def choose_victim(process: subprocess.Popen[bytes], rng: random.Random) -> psutil.Process | None:
    """The main process, or any of its descendants."""
    try:
        me = psutil.Process(process.pid)
        return rng.choice([me, *me.children(recursive=True)])
    except psutil.Error:
        return None


def complaints(run: Path, kinds: dict[str, str], forgiven: int = 0) -> list[str]:
    """What does not add up in a finished run: kernels without their one evaluation, or with another kind's outcome.

    As many of the latter as are ``forgiven`` do not count: compilers and children may have been killed from outside. A
    kernel whose child was killed is ``lost``; a busy host may cost 5 % more.
    """
    with RunFolder.open(run) as folder:
        records = list(folder.evaluations.records())
        unfinished = folder.evaluations.unfinished()
    found = [f"proposal {number} has no evaluation" for number, _ in unfinished]
    times = Counter(record.proposal.idea.removeprefix("seed kernel ") for record in records)
    found += [f"{name} was evaluated {times[name]} times" for name in kinds if times[name] != 1]
    odd = []
    for record in records:
        name, outcome = record.proposal.idea.removeprefix("seed kernel "), record.evaluation.outcome
        if name in kinds and outcome not in KINDS[kinds[name]][1] | {Outcome.LOST}:
            odd.append(f"{name} ({kinds[name]}) ended {outcome}: {record.evaluation.detail[:100]}")
    found += odd[forgiven:]
    lost = sum(record.evaluation.outcome is Outcome.LOST for record in records)
    if lost > forgiven + len(records) * 0.05:
        found.append(f"{lost} of {len(records)} evaluations were lost")
    return found


def leftovers(before: set[str], mains: Collection[int]) -> list[str]:
    """What outlived runs with these main processes, and was not there ``before``."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = sorted(present(mains) - before)
        if not found:
            return []
        time.sleep(0.1)
    return found


REFERENCE = "qd_reference"  # the function of a contained reference, in the command of its child


def kernel_processes() -> list[psutil.Process]:
    """Children that contain kernels, of this process's cache: runs beside the tests may use another one.

    A child that contains a reference stays, stopped, for as long as its problem is known to the process.
    """
    found = psutil.process_iter(["name", "status", "cmdline"])
    runners = {p: p.info["cmdline"] or [] for p in found if p.info["name"] == "runner"}
    return [p for p, command in runners.items() if str(cache_dir()) in " ".join(command) and REFERENCE not in command]


def present(mains: Collection[int] = ()) -> set[str]:
    """Contained children of this process's cache, shared memory, and scratch folders of these main processes."""
    children = {f"process {process.pid}" for process in kernel_processes()}
    scratch = [path for pid in mains for path in Path(tempfile.gettempdir()).glob(f"qdkernel-{pid}-*")]
    paths = [*scratch, *Path("/dev/shm").glob("*qdkernel*")]
    return children | {str(path) for path in paths if path.is_dir() and path.stat().st_uid == os.getuid()}
