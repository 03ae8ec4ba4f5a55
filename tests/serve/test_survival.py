"""What a service loses when it is killed or stopped: nothing."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Outcome
from qdkernel.rewards import Ending, RemoteJudge, Submission, Verdict
from qdkernel.runs import RunFolder, elites
from tests.forked import run_forked
from tests.rewards.kernels import fast, plain, renamed, threaded, wrong
from tests.serve.service import Served, batch, fenced, wait_done

pytestmark = pytest.mark.slow


def measured(journal: Path) -> Counter[str]:
    """Finished measurements by kernel, from the journal of a stopped service."""
    with sqlite3.connect(journal) as database:
        rows = database.execute("SELECT kernel_id, outcome FROM evaluations").fetchall()
    database.close()
    return Counter(kernel for kernel, outcome in rows if outcome not in ("duplicate", "lost"))


def test_200_requests_at_once_survive_kill_9_and_nothing_is_measured_twice(tmp_path: Path) -> None:
    sources = [plain(constant) for constant in range(100)]  # each is asked for twice, once under other names
    asked = [*sources, *map(renamed, sources)]
    answers: dict[int, Verdict] = {}

    with Served(tmp_path, "--archive", str(tmp_path / "run")) as first:
        port = first.port
        judge = RemoteJudge(first.url, patience_s=100)

        def ask(number: int) -> None:
            (answers[number],) = judge.judge([Submission(fenced(asked[number]))])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 120
        while len(answers) < 30 and time.monotonic() < deadline:
            time.sleep(0.05)
        seen = dict(answers)
        first.stop(signal.SIGKILL)
    assert 30 <= len(seen) < 200
    with Served(tmp_path, "--archive", str(tmp_path / "run"), port=port) as second:
        for thread in threads:
            thread.join(100)
        assert second.stop() == 0
    assert len(answers) == 200
    assert {verdict.ending for verdict in answers.values()} == {Ending.OK}
    for number in range(100):
        assert answers[number].gflops == answers[number + 100].gflops
    counts = measured(tmp_path / "run" / "journal.db")
    assert set(counts.values()) == {1}
    with RunFolder.open(tmp_path / "run") as folder:
        kept = [record.evaluation for record in folder.evaluations.records() if record.evaluation.outcome is Outcome.OK]
    assert {evaluation.kernel_id for evaluation in kept} == set(counts)
    assert len(kept) == len(counts) == 100


def test_a_stop_answers_who_waits_and_the_job_goes_on_after_the_restart(tmp_path: Path) -> None:
    with Served(tmp_path) as first:
        port = first.port
        _, job, _ = first.ask("POST", "/v1/jobs", batch([plain(constant) for constant in range(30)]))
        told: list[Any] = []
        waiter = threading.Thread(target=lambda: told.append(first.ask("GET", f"/v1/jobs/{job['id']}?wait_s=50")))
        waiter.start()
        time.sleep(0.5)
        assert first.stop() == 0
        waiter.join(20)
        assert told[0][0] in (200, 503)
        assert "stopped; jobs that waited go on when it is started again" in first.lines[-1]
    with Served(tmp_path, port=port) as second:
        assert any("going on with 1 jobs that were accepted before" in line for line in second.lines) or wait_done(
            second, job["id"]
        )
        verdicts = wait_done(second, job["id"])["verdicts"]
        assert [verdict["ending"] for verdict in verdicts] == ["ok"] * 30
        assert second.stop() == 0
    assert set(measured(tmp_path / "journal.db").values()) == {1}


def test_a_reward_stream_is_a_run_that_show_plot_and_export_read(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Served(tmp_path, "--archive", str(run)) as served:
        submissions = [
            {"completion": fenced(source), "stage": stage}
            for source, stage in (
                (plain(1), ""),
                (fast(), ""),
                (wrong(), ""),
                (threaded(), "blocking"),
                (renamed(fast()), ""),
            )
        ]
        status, found, _ = served.ask("POST", "/v1/judge", {"submissions": submissions})
        assert status == 200
        assert served.stop() == 0
    with RunFolder.open(run) as folder:
        records = list(folder.evaluations.records())
        assert Counter(record.evaluation.outcome for record in records) == {
            Outcome.OK: 2,
            Outcome.WRONG: 1,
            Outcome.OUTSIDE_STAGE: 1,
            Outcome.DUPLICATE: 1,
        }
        assert {record.proposal.operator for record in records} == {"reward"}
        assert elites(records)
    assert found["results"][3]["ending"] == "outside_stage"
    for command in (["show", str(run)], ["plot", str(run)], ["export", str(run), "--to", "jsonl"]):
        done = run_forked(command)
        assert done.returncode == 0, done.stderr
    assert (run / "plots" / "archive.png").stat().st_size > 0


def test_a_journal_has_one_service_and_one_configuration(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        with pytest.raises(AssertionError, match="another service uses it"):
            Served(tmp_path)
        assert served.stop() == 0
    with pytest.raises(AssertionError, match="made on another machine, or for another problem"):
        Served(tmp_path, config="jacobi2d.yaml")


def test_a_public_address_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"--host 0\.0\.0\.0 can be reached from other machines, so a token"):
        Served(tmp_path, "--host", "0.0.0.0")
    token = tmp_path / "token"
    token.write_text("\n")
    with pytest.raises(AssertionError, match="is empty; expected a token"):
        Served(tmp_path, "--token-file", str(token))
