"""Scripted agents in real processes: one that works, one that hangs, one that writes nonsense, one that breaks out."""

from __future__ import annotations

import json
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from qdkernel.config import BudgetConfig, load_config
from qdkernel.core import Outcome, Proposal
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import evaluate
from qdkernel.runs import RunFolder
from qdkernel.search.agents import AgentSessions
from qdkernel.search.llm import TokenBudget, Usage
from tests.conftest import naive
from tests.evolving import evolve
from tests.mutators.briefs import prompt_brief

MARK = "an_agent_that_left_its_session"


def sessions(
    context: EvaluationContext, program: str, said: list[str], usd_budget: float | None = None, **settings: float
) -> AgentSessions:
    """Sessions of an agent that is a Python program."""
    script = context.scratch.folder.parent / "agent.py"
    script.write_text(textwrap.dedent(program))
    python = [sys.executable, sys.prefix, sys.base_prefix]
    agent = {"name": "agent", "command": [sys.executable, "-I", str(script)], "readable": [*python, str(script)]}
    config = load_config(
        {
            "problem": "dgemm",
            "sizes": [48],
            "threads": 1,
            "budget": {"minutes": 1},
            "timing": {"budget_s": 0.05, "rounds_min": 2, "rounds_max": 4, "quiet_s": 0.2},
            "mutators": [{"minutes": 3, **agent, **settings}],
        },
        [],
    )
    found = config.mutators[0].agent
    assert found is not None
    budget = TokenBudget(BudgetConfig(minutes=1, usd=usd_budget), Usage())
    return AgentSessions(config, found, context.toolchain, context.built, budget, said.append)


def finish(made: AgentSessions) -> Proposal | None:
    """Runs one session to its end."""
    made.poll(prompt_brief)
    for thread in threading.enumerate():
        if thread.name == "agent":
            thread.join(240)
    return made.pop() if made.ready else None


@pytest.mark.slow
def test_an_agent_edits_checks_and_notes_and_its_last_kernel_is_a_proposal(context: EvaluationContext) -> None:
    said: list[str] = []
    program = f"""
        import json, pathlib, subprocess
        task = pathlib.Path("TASK.md").read_text()
        assert "## Target" in task and "You have 3 minutes." in task and "## Machine" in task
        assert list(pathlib.Path("neighbours").iterdir())
        earlier = pathlib.Path("NOTES.md").read_text()
        pathlib.Path("kernel.c").write_text({naive()!r} + "/* by an agent */\\n")
        done = subprocess.run(["./check"], capture_output=True, text=True)
        verdict = json.loads(done.stdout)
        wrong = pathlib.Path("wrong.c")
        wrong.write_text("int x")
        refused = subprocess.run(["./check", "wrong.c"], capture_output=True, text=True)
        pathlib.Path("NOTES.md").write_text(
            earlier + f"- {{verdict['outcome']}} {{done.returncode}} {{len(verdict['measured']['timings'])}} "
            f"{{json.loads(refused.stdout)['outcome']}} {{refused.returncode}}\\n"
        )
    """
    made = sessions(context, program, said, sessions=2)
    first = finish(made)
    assert said == []
    assert first is not None
    assert first.kernel.source == naive() + "/* by an agent */\n"
    assert first.idea == "ok 0 1 policy_violation 1"
    brief = prompt_brief()
    assert brief.parent is not None
    assert (first.operator, first.parents, first.target) == ("agent", (brief.parent.kernel.id,), brief.target)
    assert first.provenance.parent_cell == brief.parent.cell
    assert finish(made) is not None  # it finds the notes of the first session
    assert finish(made) is None  # two sessions were allowed


def test_an_agent_that_hangs_is_ended_with_all_that_it_has_started(context: EvaluationContext) -> None:
    program = f"""
        import pathlib, subprocess, sys, time
        pathlib.Path("kernel.c").write_text("/* half done */")
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "{MARK}"], start_new_session=True)
        time.sleep(300)
    """
    made = sessions(context, program, [], minutes=0.03)
    found = finish(made)
    assert found is not None
    assert found.kernel.source == "/* half done */"
    assert not any(MARK in (process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))


def test_nonsense_is_a_proposal_that_the_source_policy_refuses(context: EvaluationContext) -> None:
    said: list[str] = []
    program = """
        import pathlib, sys
        pathlib.Path("kernel.c").write_bytes(bytes(range(256)))
        pathlib.Path("NOTES.md").write_bytes(b"\\x1b[31m" * 9)
        pathlib.Path("spent_usd").write_text("a lot")
        print("\\x1b]0;gone\\x07")
        sys.exit(3)
    """
    found = finish(sessions(context, program, said))
    assert found is not None
    assert evaluate(context, found.kernel).outcome is Outcome.POLICY_VIOLATION
    assert len(said) == 1
    assert "left with exit status 3" in said[0]
    assert "\x1b" not in said[0] + found.idea


@pytest.mark.slow
def test_an_agent_stays_in_its_folder(context: EvaluationContext, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the user")
    outside = tmp_path / "outside"
    outside.mkdir()
    program = f"""
        import os, pathlib, socket
        results = []
        def attempt(name, action):
            try:
                action()
                results.append(name)
            except OSError:
                pass
        attempt("read", lambda: open({str(secret)!r}).read())
        attempt("write", lambda: open({str(outside / "file")!r}, "w"))
        attempt("remove", lambda: os.unlink({str(secret)!r}))
        attempt("connect", lambda: socket.create_connection(("127.0.0.1", 9), 1))
        os.rename("replies", "other")
        os.symlink({str(outside)!r}, "replies")
        pathlib.Path("requests/1.c").write_text("int x;")
        os.unlink("kernel.c")
        os.symlink({str(secret)!r}, "kernel.c")
        import time
        while not pathlib.Path("other/1.code").exists():
            time.sleep(0.05)
        pathlib.Path("NOTES.md").write_text("done: " + " ".join(results))
    """
    said: list[str] = []
    made = sessions(context, program, said)
    assert finish(made) is None  # the kernel is a link now
    assert said == []
    assert made.state().notes == "done: "
    assert secret.read_text() == "of the user"
    assert list(outside.iterdir()) == []


def test_no_session_begins_that_the_budget_has_no_room_for(context: EvaluationContext) -> None:
    program = (
        "import pathlib; pathlib.Path('kernel.c').write_text('int a;'); pathlib.Path('spent_usd').write_text('{}')"
    )
    cheap = sessions(context, program.format("0.1"), [], usd_budget=1.0, usd=0.6)
    assert finish(cheap) is not None
    assert finish(cheap) is not None  # 0.1 of the 0.6 were spent
    silent = sessions(context, program.format(""), [], usd_budget=1.0, usd=0.6)
    assert finish(silent) is not None
    assert finish(silent) is None  # booked in full


@pytest.mark.slow
def test_a_run_has_kernels_of_its_agent_among_its_records(tmp_path: Path) -> None:
    script = tmp_path / "agent.py"
    script.write_text(
        "import pathlib\n"
        "path = pathlib.Path('kernel.c')\n"
        "path.write_text(path.read_text() + 'static int unused_by_agent;\\n')\n"
        "pathlib.Path('NOTES.md').write_text('adds a variable')\n"
    )
    readable = [sys.executable, sys.prefix, sys.base_prefix, str(script)]
    agent = {"name": "agent", "command": [sys.executable, "-I", str(script)], "readable": readable, "sessions": 2}
    run = tmp_path / "run"
    operators = json.dumps([{"name": "schedule"}, agent])
    evolve("gemm.yaml", run, "budget.minutes=null", "budget.evaluations=16", f"mutators={operators}")
    with RunFolder.open(run) as folder:
        records = [record for record in folder.evaluations.records() if record.proposal.operator == "agent"]
        state = folder.get_state("agent")
    assert records
    assert {record.proposal.idea for record in records} == {"adds a variable"}
    assert all("unused_by_agent" in record.proposal.kernel.source for record in records)
    assert state["notes"] == "adds a variable"
