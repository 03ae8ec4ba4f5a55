"""Whole runs with a model: a real server on the loopback interface, the command line, gcc and contained children."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qdkernel.core import Outcome
from qdkernel.runs import End, RunFolder
from tests.llm_server import INJECTION, REPLIES, ModelServer, by_operator, in_turn, transcripts
from tests.model_runs import (
    EVALUATIONS,
    KEY,
    ONLY_REWRITE,
    by_model,
    endings,
    evolve,
    kernel,
    model,
    records,
    reply,
)
from tests.search.test_loop import wait_until_none


@pytest.mark.slow
def test_a_model_and_the_built_in_operators_breed_together(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2), f"idea {number}")) as server:
        settings = (EVALUATIONS, "budget.evaluations=16", "mutators=[{name: schedule}, {name: rewrite}]")
        done = evolve(run, model(server.base_url, api_key_env="THE_KEY"), *settings, THE_KEY=KEY)
    assert {r.proposal.operator for r in records(run)} >= {"seed", "schedule", "rewrite"}
    assert any(r.proposal.idea.startswith("idea ") and r.evaluation.outcome is Outcome.OK for r in by_model(run))
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
    assert "asking scripted at http://127.0.0.1" in done.stderr
    assert "requests" in done.stdout
    everything = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert KEY.encode() not in everything + done.stdout.encode() + done.stderr.encode()


@pytest.mark.slow
def test_without_a_model_in_the_environment_one_line_says_so(tmp_path: Path) -> None:
    done = evolve(tmp_path / "run", EVALUATIONS, "budget.evaluations=2")
    said = [line for line in done.stderr.splitlines() if "no model" in line]
    assert said == [
        "qdkernel: no model in the environment (QDKERNEL_BASE_URL, QDKERNEL_MODEL): going on with schedule and tune"
    ]


@pytest.mark.slow
def test_a_model_in_the_environment_is_asked(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2))) as server:
        settings = (EVALUATIONS, "budget.evaluations=6", *ONLY_REWRITE)
        evolve(run, *settings, QDKERNEL_BASE_URL=server.base_url, QDKERNEL_MODEL="local", QDKERNEL_API_KEY=KEY)
        assert {request.body["model"] for request in server.requests} == {"local"}
    assert {r.model for r in by_model(run)} == {"local"}


@pytest.mark.slow
def test_a_wrong_kernel_is_mended_in_the_same_conversation_and_counted_apart(tmp_path: Path) -> None:
    run = tmp_path / "run"
    script = by_operator({"result is wrong": REPLIES["mends-wrong"], "": REPLIES["wrong"]})
    with ModelServer(script) as server:
        evolve(run, model(server.base_url, parallel=1), EVALUATIONS, "budget.evaluations=9", *ONLY_REWRITE)
        repair = next(r for r in server.requests if "result is wrong" in r.body["messages"][-1]["content"])
    wrong = by_model(run)[0]
    mended = next(r for r in by_model(run) if r.proposal.operator == "repair")
    assert (wrong.proposal.operator, wrong.evaluation.outcome) == ("rewrite", Outcome.WRONG)
    assert mended.evaluation.outcome is Outcome.OK
    assert mended.proposal.provenance.repair_of == wrong.proposal.kernel.id
    assert [message["role"] for message in repair.body["messages"]] == ["system", "user", "assistant", "user"]
    assert "is nan and should be" in repair.body["messages"][-1]["content"]


@pytest.mark.slow
def test_repairs_end_after_two_turns(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2).replace("double sum", "doubel sum"))) as server:
        settings = (EVALUATIONS, "budget.evaluations=14", *ONLY_REWRITE)
        evolve(run, model(server.base_url, parallel=1), *settings)
    assert {r.evaluation.outcome for r in by_model(run)} == {Outcome.COMPILE_ERROR}
    turns = [(r.proposal.operator, r.proposal.provenance.repairs) for r in by_model(run)]
    assert set(turns) == {("rewrite", 0), ("repair", 1), ("repair", 2)}


BAD_REPLIES = ("prose", "cut-kernel", "edit-misses", "one-megabyte")


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_reply_without_a_kernel_costs_a_request_and_nothing_else(tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    with ModelServer(in_turn(REPLIES[name], REPLIES[name], REPLIES["good"])) as server:
        settings = (EVALUATIONS, "budget.evaluations=2", *ONLY_REWRITE)
        evolve(run, model(server.base_url, parallel=1), *settings)
    assert [r.evaluation.outcome for r in by_model(run)] == [Outcome.OK]
    with RunFolder.open(run) as folder:
        first = next(iter(folder.conversations.all()))
    assert first.ended in (End.NOTHING, End.FAILED)
    assert first.reason


@pytest.mark.slow
def test_cheats_and_orders_in_replies_end_as_outcomes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    script = in_turn(INJECTION, REPLIES["cheat"], REPLIES["crashes"], REPLIES["endless"], REPLIES["good"])
    with ModelServer(script) as server:
        settings = (EVALUATIONS, "budget.evaluations=6", "llm.repairs=0", "limits.run_s=1", *ONLY_REWRITE)
        done = evolve(run, model(server.base_url, parallel=1), *settings)
    outcomes = [r.evaluation.outcome for r in sorted(by_model(run), key=lambda record: record.proposal_id)]
    assert outcomes[0] is Outcome.POLICY_VIOLATION
    assert outcomes[1:4] == [Outcome.WRONG, Outcome.CRASHED, Outcome.TIMEOUT]
    assert Outcome.OK in outcomes[4:]
    assert not Path("/tmp/loot").exists()
    assert "\x1b" not in done.stdout
    wait_until_none()


@pytest.mark.slow
def test_a_plan_hands_a_strategy_to_each_programmer(tmp_path: Path) -> None:
    run = tmp_path / "run"
    plan = json.dumps(
        [{"parent": 1, "target": "register, scalar, serial", "strategy": f"strategy {n}"} for n in range(3)]
    )
    programs = [reply(kernel(n), f"program {n}") for n in range(2, 14)]
    with ModelServer(by_operator({"strategy ": programs, "": plan})) as server:
        settings = (EVALUATIONS, "budget.evaluations=4", "mutators=[{name: plan}]", "llm.programmers=3")
        quiet = ("llm.reflect_every=null", "llm.revise_every=null")
        evolve(run, model(server.base_url, parallel=3), *settings, *quiet)
        asked = [request.body["messages"][-1]["content"] for request in server.requests]
    assert [r.proposal.operator for r in by_model(run)] == ["program"] * 3
    assert sum("strategy 1" in text for text in asked) >= 1
    assert ("plan", End.PLAN) in endings(run)


@pytest.mark.slow
def test_lessons_and_better_prompts_enter_later_prompts(tmp_path: Path) -> None:
    run = tmp_path / "run"
    script = by_operator(
        {
            "what this run has learned": "- unrolling by 4 paid twice",
            "Write a better version": "Keep sums in registers. Always.",
            "": [reply(kernel(n), f"idea {n}") for n in range(2, 17)],
        }
    )
    with ModelServer(script) as server:
        settings = (EVALUATIONS, "budget.evaluations=16", "mutators=[{name: rewrite}]")
        often = ("llm.reflect_every=8", "llm.revise_every=8")
        evolve(run, model(server.base_url, parallel=1), *settings, *often)
        said = ["\n".join(m["content"] for m in request.body["messages"]) for request in server.requests]
    assert {"reflect", "revise"} <= {operator for operator, ended in endings(run) if ended is End.TEXT}
    assert any("unrolling by 4 paid twice" in text for text in said)
    with RunFolder.open(run) as folder:
        assert "Keep sums in registers. Always." in json.dumps(folder.get_state("prompts")["sections"])


KERNELS_OF_A_MODEL = {Outcome.OK, Outcome.DUPLICATE, Outcome.POLICY_VIOLATION, Outcome.WRONG, Outcome.LOST}
"""Lost: the host was busy. Wrong: some read A and B also for alpha = 0, which their prompts did not forbid. Refused: an
attribute."""


def parents_of_transcripts(folder: Path) -> str:
    path = folder / "second.c"
    path.write_text(kernel(4))
    return str(path)


@pytest.mark.slow
@pytest.mark.isa_dependent
@pytest.mark.isa("avx512f")
def test_every_transcript_ends_as_an_evaluated_kernel_or_a_plan(tmp_path: Path) -> None:
    run = tmp_path / "run"
    seeds = parents_of_transcripts(tmp_path)
    with ModelServer(transcripts()) as server:
        settings = (EVALUATIONS, "budget.requests=16", "mutators=[{name: rewrite}, {name: cross}, {name: plan}]")
        evolve(run, model(server.base_url), f"seeds=[{seeds}]", *settings, "llm.repairs=0")
    assert {r.evaluation.outcome for r in by_model(run)} <= KERNELS_OF_A_MODEL
    assert sum(r.evaluation.outcome is Outcome.OK for r in by_model(run)) >= 4


@pytest.mark.slow
@pytest.mark.isa_dependent
@pytest.mark.isa("sse2")
def test_replies_for_a_wider_machine_do_not_compile_and_the_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    seeds = parents_of_transcripts(tmp_path)
    with ModelServer(transcripts()) as server:
        settings = (EVALUATIONS, "budget.evaluations=14", "mutators=[{name: rewrite}, {name: schedule}]")
        evolve(run, model(server.base_url), f"seeds=[{seeds}]", *settings, "llm.repairs=0", "machine={isa: sse2}")
        systems = [request.body["messages"][0]["content"] for request in server.requests]
    outcomes = {r.evaluation.outcome for r in by_model(run)}
    assert Outcome.COMPILE_ERROR in outcomes
    assert outcomes <= KERNELS_OF_A_MODEL | {Outcome.COMPILE_ERROR}
    assert Outcome.OK in {r.evaluation.outcome for r in records(run) if r.proposal.operator == "schedule"}
    assert all(r.evaluation.cell is None or r.evaluation.cell[1] <= 1 for r in records(run))
    told = [text for text in systems if "## Machine" in text]  # those that ask for kernels
    assert told
    assert all("- SIMD: 128 bits, 16 vector registers" in text and "- simd: scalar, 128: bits" in text for text in told)
    assert not [text for text in told if re.search(r"(?:256|512)[- ]bit|avx-?(?:2|512)", text, re.IGNORECASE)]


@pytest.mark.slow
def test_a_kernel_outside_its_stage_is_an_outcome_and_never_an_elite(tmp_path: Path) -> None:
    run = tmp_path / "run"
    threaded = kernel().replace("    for (int i = 0", "#pragma omp parallel for\n    for (int i = 0")
    stages = "stages=[{name: one thread, permits: {threading: [serial]}}]"
    with ModelServer(in_turn(reply(threaded), *(reply(kernel(n)) for n in range(2, 17)))) as server:
        settings = (EVALUATIONS, "budget.evaluations=4", "llm.repairs=0", stages, *ONLY_REWRITE)
        evolve(run, model(server.base_url, parallel=1), *settings)
        asked = [request.body["messages"][-1]["content"] for request in server.requests]
    first = min(by_model(run), key=lambda record: record.proposal_id)
    assert first.evaluation.outcome is Outcome.OUTSIDE_STAGE
    assert "threading is static" in first.evaluation.detail
    assert "the stage permits serial" in first.evaluation.detail
    assert not first.placed
    assert all(r.placed is False or r.evaluation.cell is None or r.evaluation.cell[2] == 0 for r in by_model(run))
    assert "serial" in asked[0]


@pytest.mark.slow
@pytest.mark.parametrize("search", ["best-of-n", "random-parents"])
def test_the_search_baselines_run(tmp_path: Path, search: str) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2), f"idea {number}")) as server:
        settings = (EVALUATIONS, "budget.evaluations=8", f"search={search}", *ONLY_REWRITE)
        evolve(run, model(server.base_url), *settings)
        asked = ["\n".join(m["content"] for m in request.body["messages"]) for request in server.requests]
    seed = records(run)[0].proposal.kernel.id
    parents = {parent for r in by_model(run) for parent in r.proposal.parents}
    if search == "best-of-n":
        assert parents == {seed}
        assert not any("idea 0" in text for text in asked)
    assert {r.proposal.target for r in by_model(run)} == {None}
