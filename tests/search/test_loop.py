"""Whole runs through the command line: budget, resume, interrupt, kill -9, hostile seeds."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from qdkernel.core import Kernel, Outcome, Placement, Proposal, parse_cell
from qdkernel.runs import EventKind, RunFolder, elites
from tests.compiled import HEAD
from tests.conftest import naive
from tests.evolving import BUSY, WORKERS, as_arguments, command, evolve
from tests.fake_runs import ok
from tests.forked import forked, run_forked
from tests.load import kernel_processes
from tests.paths import TESTS


def read(run: Path) -> RunFolder:
    return RunFolder.open(run)


def wait_until_none(seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while kernel_processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kernel_processes() == []


def test_a_run_spends_its_budget_and_leaves_a_whole_folder(
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    run, done = small_run
    with read(run) as folder:
        records = list(folder.evaluations.records())
        assert len(records) == 14
        assert min(records, key=lambda r: r.proposal_id).proposal.operator == "seed"
        assert {r.proposal.operator for r in records} <= {"seed", "schedule", "tune"}
        filled = elites(records)
        assert folder.evaluations.unfinished() == []
    assert len(filled) >= 5
    assert len(list((run / "elites").glob("*.c"))) == len(filled)
    assert {p.name for p in (run / "plots").iterdir()} >= {"archive.png", "progress.png", "roofline.png"}
    assert "stopped: the budgeted number of evaluations is done" in done.stdout
    assert "evaluated" in done.stderr
    assert kernel_processes() == []


def test_every_command_reads_the_run(small_run: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    run = str(small_run[0])
    for arguments in (
        ["show", run],
        ["plot", run, "--out", str(tmp_path / "plots")],
        ["export", run, "--to", "jsonl", "--out", str(tmp_path / "records.jsonl")],
        ["export", run, "--to", "c", "--out", str(tmp_path / "c"), "--unchecked"],
    ):
        done = run_forked(arguments)
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 14
    assert (tmp_path / "plots" / "archive.png").exists()


@pytest.mark.slow
def test_an_export_can_time_elites_again_first_and_leaves_the_run_as_it_was(
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    run = small_run[0]
    before, again, after = (
        [json.loads(line) for line in run_forked(["export", str(run), "--to", "jsonl", *more]).stdout.splitlines()]
        for more in ([], ["--revalidate"], [])
    )
    assert before == after
    timed = {record["evaluation"] for record, new in zip(before, again, strict=True) if record != new}
    assert timed <= {record["evaluation"] for record in before if record["elite"]}
    changed = [(record, new) for record, new in zip(before, again, strict=True) if record["evaluation"] in timed]
    assert changed
    assert all(new["num_measurements"] == record["num_measurements"] + 2 for record, new in changed)
    assert all(new["timing"]["per_size"] != record["timing"]["per_size"] for record, new in changed)


@pytest.mark.slow
def test_bench_times_elites_again_and_reports_the_agreed_form(
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    done = run_forked(["bench", str(small_run[0]), "--top", "2", "--json", *as_arguments(BUSY)])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) == {"elites", "baseline", "machine"}
    assert len(report["elites"]) == 2
    for elite in report["elites"]:
        assert {"id", "cell", "sizes", "threads", "gflops", "ratio", "ratio_low", "ratio_high"} <= set(elite)
        assert elite["ratio_low"] <= elite["ratio"] <= elite["ratio_high"]


@pytest.mark.slow
def test_a_normwise_run_admits_strassen_and_goes_on_only_by_its_own_rule(tmp_path: Path) -> None:
    run, strassen = tmp_path / "run", TESTS / "cheats" / "strassen.c"
    settings = ("budget.minutes=null", "budget.evaluations=3", f"seeds=['{strassen}']")
    evolve("gemm.yaml", run, *settings, "accuracy=normwise")
    with read(run) as folder:
        seeds = {r.source: r.evaluation.outcome for r in folder.evaluations.records() if r.proposal.operator == "seed"}
        assert seeds[strassen.read_text()] is Outcome.OK
        assert folder.facts.accuracy == "normwise"
    done = run_forked(command("gemm.yaml", run, *settings, more=["--resume"]))
    assert done.returncode == 1
    assert "or with other sizes, threads or accuracy" in done.stderr


@pytest.mark.slow
def test_an_elite_that_a_further_look_finds_wrong_gives_its_cell_back(tmp_path: Path) -> None:
    run, settings = tmp_path / "run", ("budget.minutes=null", "budget.evaluations=5")
    evolve("gemm.yaml", run, *settings)
    empty = parse_cell("cache/512/nested/far")
    with RunFolder.open(run, writable=True) as folder:
        before = elites(folder.evaluations.records())
        [*_, taken] = before
        for number, cell in enumerate((taken, empty)):  # as if these had been right whenever they were looked at
            wrong = Kernel(f"/* {number} */\n{HEAD} {{}}\n")
            proposal = folder.evaluations.add_proposal(Proposal(wrong, "tune", "does nothing"))
            folder.evaluations.add(proposal, ok(wrong, cell, 1e3), Placement.IMPROVED, {})
        assert list(elites(folder.evaluations.records())) == sorted({*before, empty})
    done = evolve("gemm.yaml", run, *settings, "timing.remeasure=true", more=["--resume"])
    with read(run) as folder:
        after = elites(folder.evaluations.records())
        assert {cell: record.number for cell, record in after.items()} == {
            cell: record.number for cell, record in before.items()
        }
        *_, first, second = folder.evaluations.records()
        assert [event.kind for event in folder.events.all()].count(EventKind.RETRACTED) == 2
    for record in (first, second):
        assert (record.evaluation.outcome, record.evaluation.objective) == (Outcome.WRONG, None)
        assert "ended ok, then failed when it was timed again: the result of a timed call" in record.evaluation.detail
        assert not record.placed
    assert "2 of them ended ok, then failed when timed again" in done.stdout
    assert "1000.0" not in done.stdout


@pytest.mark.slow
def test_an_interrupt_drains_and_the_folder_resumes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with forked(command("gemm.yaml", run, WORKERS)) as process:
        wait_for_evaluations(run, 3)
        process.send_signal(signal.SIGINT)
        done = process.finish(60)
    assert done.returncode == 130, done.stderr
    assert "finishing what is under way" in done.stderr
    assert "interrupted; continue with --resume" in done.stdout
    with read(run) as folder:
        assert folder.evaluations.unfinished() == []
        before = folder.evaluations.count()
    evolve("gemm.yaml", run, "budget.minutes=null", f"budget.evaluations={before + 3}", more=["--resume"])
    wait_until_none()


def wait_for_evaluations(run: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (run / "run.db").exists():
            with read(run) as folder:
                if folder.evaluations.count() >= count:
                    return
        time.sleep(0.1)
    raise AssertionError("the run made no progress")


@pytest.mark.slow
def test_kill_9_loses_no_committed_evaluation_and_leaves_nothing_running(tmp_path: Path) -> None:
    run = tmp_path / "run"
    evaluated = 0
    for attempt in range(3):
        more = ["--resume"] if attempt else []
        with forked(command("gemm.yaml", run, WORKERS, more=more)) as process:
            wait_for_evaluations(run, evaluated + 2)
            time.sleep(random.random())
            process.kill()
        with read(run) as folder:
            assert folder.evaluations.count() >= evaluated + 2
            evaluated = folder.evaluations.count()
        wait_until_none()
    evolve("gemm.yaml", run, "budget.minutes=null", f"budget.evaluations={evaluated + 5}", more=["--resume"])
    with read(run) as folder:
        records = list(folder.evaluations.records())
        assert len(records) == evaluated + 5
        assert len({r.proposal_id for r in records}) == len(records)
        assert folder.evaluations.unfinished() == []


@pytest.mark.slow
def test_a_killed_worker_costs_no_evaluation(tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ("budget.minutes=null", "budget.evaluations=14", WORKERS)
    with forked(command("gemm.yaml", run, *settings)) as process:
        wait_for_evaluations(run, 3)
        family = psutil.Process(process.pid).children(recursive=True)
        workers = [p for p in family if "popen_loky" in " ".join(p.cmdline())]
        assert workers
        workers[0].kill()
        done = process.finish(120)
    assert done.returncode == 0, done.stderr
    with read(run) as folder:
        assert folder.evaluations.count() == 14
    wait_until_none()


HOSTILE = {
    "empty.c": ("", Outcome.POLICY_VIOLATION),
    "big.c": ("/*" + "x" * 10_000_000 + "*/", Outcome.POLICY_VIOLATION),
    "latin1.c": ("/* \udce9 */" + naive(), Outcome.POLICY_VIOLATION),
    "prototype.c": ("int dgemm(float x) { return 1; }", Outcome.COMPILE_ERROR),
    "loop.c": (HEAD + "{ volatile int x = 1; while (x) {} }", Outcome.TIMEOUT),
    "segfault.c": (HEAD + "{ *(volatile int *)8 = 1; }", Outcome.CRASHED),
    "exit.c": ("void exit(int);" + HEAD + "{ exit(0); }", Outcome.POLICY_VIOLATION),
    "fork.c": ("int fork(void);" + HEAD + "{ for (;;) fork(); }", Outcome.POLICY_VIOLATION),
    "memory.c": (
        "#include <stdlib.h>\n#include <string.h>\n"
        + HEAD
        + "{ char *p = malloc(10ul << 30); memset(p, 1, 10ul << 30); C[0] = p[7]; }",
        Outcome.CRASHED,
    ),
    "output.c": ("int puts(const char *);" + HEAD + '{ puts("hello"); }', Outcome.POLICY_VIOLATION),
}


@pytest.mark.slow
def test_bad_kernels_as_seeds_each_get_their_outcome_and_the_run_goes_on(tmp_path: Path) -> None:
    for name, (source, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(source.encode("utf-8", "surrogateescape"))
    seeds = ", ".join(str(tmp_path / name) for name in HOSTILE)
    run = tmp_path / "run"
    evolve("gemm.yaml", run, f"seeds=[{seeds}]", "budget.minutes=null", "budget.evaluations=16", "limits.run_s=1")
    with read(run) as folder:
        found = {r.proposal.idea.removeprefix("seed kernel "): r.evaluation for r in folder.evaluations.records()}
    assert {name: found[name].outcome for name in HOSTILE} == {name: outcome for name, (_, outcome) in HOSTILE.items()}
    assert all(found[name].detail for name in HOSTILE)
    assert found["dgemm_naive.c"].outcome is Outcome.OK
    wait_until_none()


@pytest.mark.slow
def test_stencils_grow_an_archive_from_hand_written_seeds_and_schedules(tmp_path: Path) -> None:
    run = tmp_path / "run"
    evolve("jacobi2d.yaml", run, "budget.minutes=null", "budget.evaluations=14")
    with read(run) as folder:
        records = list(folder.evaluations.records())
    assert len(records) == 14
    operators = {r.proposal.operator for r in records}
    assert "seed" in operators
    assert operators <= {"seed", "tune", "schedule"}
    assert len(elites(records)) >= 3
