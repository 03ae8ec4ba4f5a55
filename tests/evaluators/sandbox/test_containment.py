"""Hostile kernels past the policy, straight into the contained child: the containment alone must hold."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from contextlib import nullcontext as nothing
from pathlib import Path

import psutil
import pytest

from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.sandbox import Child, ChildCrashed, ChildFailed, ChildTimeout, CpuTimeExceeded
from qdkernel.evaluators.sandbox.cpu_accounting import CpuTimeMonitor
from qdkernel.evaluators.toolchain import CompileError, CompileLate, CompileLimits, compile_kernel
from tests.compiled import HEAD
from tests.conftest import naive, started
from tests.load import kernel_processes
from tests.paths import ROOT

SIGNATURE = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>
"""


def start(context: EvaluationContext, folder: Path, body: str, before: str = "") -> Child:
    made = context.compile(f"{SIGNATURE}{before}\n{HEAD}\n{{ {body} }}\n", folder)
    suite = context.suite
    suite.reset()
    return context.start(made, suite.layout, suite.inputs, suite.outputs, 1)


def run_case(context: EvaluationContext, folder: Path, body: str, before: str = "") -> float:
    """Runs the body on a call with an output and returns C[0] afterwards: 1 means the attack got through."""
    suite = context.suite
    index = next(i for i, call in enumerate(suite.layout.calls) if call.case["m"] > 0 and call.case["n"] > 0)
    with start(context, folder, body, before) as child:
        child.run(index, 1, 2.0)
        placed = suite.layout.calls[index].arrays[-1]
        return float(suite.layout.elements(suite.outputs, placed)[0])


# What a kernel tries; each leaves 1 in C[0] if it succeeded and minus errno if not.
REFUSED_CALLS = {
    "open a file for writing": 'int f = open("{tmp}/pwned", O_WRONLY | O_CREAT, 0666); C[0] = f >= 0 ? 1 : -errno;',
    "read a file of the host": 'int f = open("/etc/passwd", O_RDONLY); C[0] = f >= 0 ? 1 : -errno;',
    "read its environment": 'int f = open("/proc/self/environ", O_RDONLY); C[0] = f >= 0 ? 1 : -errno;',
    "fork": "pid_t p = fork(); if (p == 0) _exit(0); C[0] = p > 0 ? 1 : -errno;",
    "start a program": 'char *v[] = {"sh", "-c", "true", 0}; C[0] = execv("/bin/sh", v) ? -errno : 1;',
    "open a TCP socket": "C[0] = socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 1 : -errno;",
    "open a UDP socket": "C[0] = socket(AF_INET, SOCK_DGRAM, 0) >= 0 ? 1 : -errno;",
    "signal its parent": "C[0] = kill(getppid(), SIGUSR1) == 0 ? 1 : -errno;",
    "trace its parent": "C[0] = ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0 ? 1 : -errno;",
    "handle signals": "C[0] = signal(SIGTERM, SIG_IGN) != SIG_ERR ? 1 : -errno;",
    "get executable memory": "void *p = mmap(0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);"
    "C[0] = p != MAP_FAILED ? 1 : -errno;",
    "rewrite its code": "C[0] = mprotect((void *)((unsigned long)dgemm & ~4095ul), 4096, 7) == 0 ? 1 : -errno;",
    "outlive its parent": "C[0] = prctl(PR_SET_PDEATHSIG, 0) == 0 ? 1 : -errno;",
    "raise a limit": "C[0] = syscall(SYS_setrlimit, 0, 0) == 0 ? 1 : -errno;",
    "make an io_uring": "char p[128] = {0}; C[0] = syscall(425, 8, p) >= 0 ? 1 : -errno;",
    "share memory": "C[0] = syscall(SYS_shmget, 0, 4096, 01600) >= 0 ? 1 : -errno;",
    "count cycles of others": "char p[128] = {0}; p[4] = 112; C[0] = syscall(298, p, 0, -1, -1, 0) >= 0 ? 1 : -errno;",
}


@pytest.mark.parametrize("attempt", REFUSED_CALLS)
def test_a_kernel_may_not(attempt: str, context: EvaluationContext, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    result = run_case(context, folder, REFUSED_CALLS[attempt].replace("{tmp}", str(tmp_path)))
    assert result < 0, f"C[0] = {result}"
    assert not (tmp_path / "pwned").exists()


def test_a_constructor_runs_locked_in(context: EvaluationContext, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    before = f"""static int read_error, write_error, fork_error;
    __attribute__((constructor)) static void early(void) {{
        read_error = open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
        write_error = open("{tmp_path}/pwned", O_WRONLY | O_CREAT, 0666) >= 0 ? 0 : errno;
        pid_t p = fork(); if (p == 0) _exit(0);
        fork_error = p > 0 ? 0 : errno;
    }}"""
    assert run_case(context, folder, "C[0] = read_error && write_error && fork_error ? -1 : 1;", before) == -1
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("*(volatile int *)8 = 1;", "killed by SIGSEGV"),
        ("exit(0);", "left with exit status 0"),
        ("syscall(SYS_exit_group, 0);", "left with exit status 0"),
        ("((volatile double *)A)[0] = 0;", "killed by SIGSEGV"),
        ("char *p = malloc(10ul << 30); memset(p, 1, 10ul << 30); C[0] = p[5];", "killed by SIGSEGV"),
        ("__builtin_trap();", "killed by SIGILL"),
    ],
)
def test_a_kernel_that_dies_is_a_crash_with_the_cause(
    body: str, said: str, context: EvaluationContext, tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    with start(context, folder, body) as child, pytest.raises(ChildCrashed, match=said):
        child.run(0, len(context.suite.layout.calls), 5.0)


@pytest.mark.parametrize(
    "body",
    [
        "volatile int x = 1; while (x) {}",
        "for (;;) sleep(100);",
        "sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0); volatile int x = 1; while (x) {}",
    ],
)
def test_a_kernel_that_does_not_end_is_killed_at_its_deadline(
    body: str, context: EvaluationContext, tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    child = start(context, folder, body)
    with child, pytest.raises(ChildTimeout, match=r"not done after 0\.3 s, after 0 of"):
        child.run(0, len(context.suite.layout.calls), 0.3)
    assert not psutil.pid_exists(child._process.pid)


def test_threads_that_spin_on_die_with_the_child(context: EvaluationContext, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    before = "static void *spin(void *x) { volatile int v = 1; while (v) {} return x; }"
    body = "pthread_t t; for (int i = 0; i < 20; i++) pthread_create(&t, 0, spin, 0);"
    with start(context, folder, body, before) as child:
        child.run(0, 1, 5.0)
        pid = child._process.pid
    assert not psutil.pid_exists(pid)


needs_two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")


@needs_two_cores
def test_a_kernel_gets_as_many_cores_as_it_has_threads(context: EvaluationContext, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    body = "cpu_set_t mine; sched_getaffinity(0, sizeof mine, &mine); C[0] = CPU_COUNT(&mine);"
    assert run_case(context, folder, body, "#include <sched.h>\n") == 1


@pytest.mark.parametrize(
    ("first_s", "second_s", "greedy"),
    [(0.040, 0.060, False), (0.040, 0.081, False), (0.040, 0.110, True), (0.000, 0.110, True)],
    ids=["as much as there is", "within the slack", "too much", "too much after idling"],
)
def test_processor_time_beyond_the_cores_that_were_given_is_found(
    first_s: float, second_s: float, greedy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter((10.04, 20.0, 20.06))  # runs for 40 ms, stands still, runs for 60 ms
    used = iter((first_s, first_s + second_s))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    monkeypatch.setattr(time, "clock_gettime", lambda _: next(used))
    account = CpuTimeMonitor(pid=1, num_cores=1, begun_s=10.0)
    account.pause()
    account.resume()
    with (
        pytest.raises(CpuTimeExceeded, match="used 38 ms more processor time than its core has;")
        if greedy
        else nothing()
    ):
        account.pause()


def test_the_clock_of_another_process_counts_its_processor_time() -> None:
    with started([sys.executable, "-c", "while True: pass"]) as burner:
        account = CpuTimeMonitor(burner.pid, num_cores=os.cpu_count() or 1, begun_s=time.monotonic())
        while account.used_s < 0.02:
            time.sleep(0.05)
            account.pause()
            account.resume()


def test_a_kernel_that_says_too_early_that_it_is_done_is_stopped_with_the_clock(
    context: EvaluationContext, tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    # The child's page of control is the one shared page that is writable and holds the number of the block thrice.
    before = """static volatile unsigned *control(void *from) {
        for (unsigned long at = (unsigned long)from & ~4095ul, i = 0; i < 5 * 512; i++) {
            unsigned long word = ((unsigned long *)at)[i];
            if (word % 4096 || word >> 44 != 7) continue;
            volatile unsigned *c = (volatile unsigned *)word;
            if (c[0] == 1 && c[1] == 1 && c[2] == 1) return c;
        }
        return 0;
    }"""
    body = """volatile unsigned *c = control(__builtin_return_address(0));
    c[3] = 1;
    volatile long x = 0;
    while (x < 100000000) x++;
    C[0] = 1;"""
    suite = context.suite
    index = next(i for i, call in enumerate(suite.layout.calls) if call.case["m"] > 0 and call.case["n"] > 0)
    with start(context, folder, body, before) as child:
        child.run(index, 1, 2.0, freeze=True)
        placed = suite.layout.calls[index].arrays[-1]
        assert float(suite.layout.elements(suite.outputs, placed)[0]) != 1
        time.sleep(0.3)  # it would be done by now if it were running
        assert float(suite.layout.elements(suite.outputs, placed)[0]) != 1


def test_output_goes_nowhere(context: EvaluationContext, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    assert run_case(context, folder, 'printf("hello"); fflush(stdout); C[0] = write(1, "x", 1) == 1 ? 1 : -1;') == -1
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_the_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            from pathlib import Path
            from qdkernel.evaluators.pipeline import EvaluationContext
            from tests.conftest import make_spec, naive
            context = EvaluationContext(make_spec(Path(sys.argv[1])))
            made = context.compile(naive(), Path(sys.argv[2]))
            suite = context.suite
            child = context.start(made, suite.layout, suite.inputs, suite.outputs, 1)
            child.run(0, 1, 5.0)
            child.stop()
            print(child._process.pid, flush=True)
            time.sleep(60)
            """
        )
    )
    (tmp_path / "build").mkdir()
    (tmp_path / "scratch").mkdir()
    root = ROOT
    command = [sys.executable, str(script), str(tmp_path / "scratch"), str(tmp_path / "build")]
    with started(command, {**os.environ, "PYTHONPATH": str(root)}) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert psutil.pid_exists(child)
        parent.kill()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(child)


@pytest.mark.parametrize(
    "source",
    [
        '#include "/etc/passwd"\n',
        '__asm__(".incbin \\"/etc/passwd\\"");\n',
        "#define A(x) x x x x x x x x x x\nint v[] = {A(A(A(A(A(A(A(A(A(A(1,))))))))))};\n",
        "int big[1ul << 33] = {1};\n",
    ],
)
def test_the_contained_compiler_reads_no_files_and_spends_no_fortune(
    source: str, context: EvaluationContext, tmp_path: Path
) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    limits = CompileLimits(wall_s=5.0, memory_mb=512, file_mb=16)
    with pytest.raises((CompileError, CompileLate)) as refused:
        compile_kernel(source + naive(), context.problem, context.toolchain, context.built, folder, limits)
    assert "root:" not in str(refused.value)
    assert len(str(refused.value)) < 5000


def test_a_fork_bomb_leaves_nothing_behind(context: EvaluationContext, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    with start(context, folder, "for (;;) fork();") as child, pytest.raises(ChildFailed):
        child.run(0, 1, 0.3)
    assert [p.pid for p in kernel_processes() if any(str(folder) in part for part in p.info["cmdline"])] == []
