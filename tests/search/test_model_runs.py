"""Whole runs with a model: a real server on the loopback interface, the command line, gcc and contained children."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest

from qdkernel.core import Outcome, Proposal
from qdkernel.runs import End, EventKind, Record, RunFolder
from tests.forked import forked, run_forked
from tests.llm_server import FAILURES, INJECTION, REPLIES, Answer, ModelServer, by_operator, in_turn, transcripts
from tests.model_runs import KEY, ONLY_REWRITE, command, environment, evolve, kernel, model, reply
from tests.search.test_loop import wait_for_evaluations, wait_until_none

EVALUATIONS = "budget.minutes=null"


def records(run: Path) -> list[Record]:
    with RunFolder.open(run) as folder:
        return list(folder.evaluations.records())


def by_model(run: Path) -> list[Record]:
    return [record for record in records(run) if record.model]


def proposals(run: Path) -> list[Proposal]:
    with RunFolder.open(run) as folder:
        evaluated = [(r.proposal_id, r.proposal) for r in folder.evaluations.records()]
        return [
            proposal for _, proposal in sorted([*evaluated, *folder.evaluations.unfinished()], key=lambda item: item[0])
        ]


def endings(run: Path) -> list[tuple[str, End | None]]:
    with RunFolder.open(run) as folder:
        return [(c.assignment.operator, c.ended) for c in folder.conversations.all()]


def test_a_model_and_the_built_in_operators_breed_together(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2), f"idea {number}")) as server:
        settings = (EVALUATIONS, "budget.evaluations=24", "mutators=[{name: schedule}, {name: rewrite}]")
        done = evolve(run, model(server.base_url, api_key_env="THE_KEY"), *settings, THE_KEY=KEY)
    assert {r.proposal.operator for r in records(run)} >= {"seed", "schedule", "rewrite"}
    assert any(r.proposal.idea.startswith("idea ") and r.evaluation.outcome is Outcome.OK for r in by_model(run))
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
    assert "asking scripted at http://127.0.0.1" in done.stderr
    assert "requests" in done.stdout
    everything = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert KEY.encode() not in everything + done.stdout.encode() + done.stderr.encode()


def test_without_a_model_in_the_environment_one_line_says_so(tmp_path: Path) -> None:
    done = evolve(tmp_path / "run", EVALUATIONS, "budget.evaluations=2")
    said = [line for line in done.stderr.splitlines() if "no model" in line]
    assert said == [
        "qdkernel: no model in the environment (QDKERNEL_BASE_URL, QDKERNEL_MODEL): going on with schedule and tune"
    ]


def test_a_model_in_the_environment_is_asked(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2))) as server:
        settings = (EVALUATIONS, "budget.evaluations=6", *ONLY_REWRITE)
        evolve(run, *settings, QDKERNEL_BASE_URL=server.base_url, QDKERNEL_MODEL="local", QDKERNEL_API_KEY=KEY)
        assert {request.body["model"] for request in server.requests} == {"local"}
    assert {r.model for r in by_model(run)} == {"local"}


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


def test_repairs_end_after_two_turns(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2).replace("double sum", "doubel sum"))) as server:
        settings = (EVALUATIONS, "budget.evaluations=14", *ONLY_REWRITE)
        evolve(run, model(server.base_url, parallel=1), *settings)
    assert {r.evaluation.outcome for r in by_model(run)} == {Outcome.COMPILE_ERROR}
    turns = [(r.proposal.operator, r.proposal.provenance.repairs) for r in by_model(run)]
    assert set(turns) == {("rewrite", 0), ("repair", 1), ("repair", 2)}


BAD_REPLIES = ("prose", "cut-kernel", "edit-misses", "one-megabyte")


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


SICK = ("rate-limit-ms", "server-error", "reset", "broken-json", "web-page", "cut-body", "no-choices", "empty")


def test_a_failing_endpoint_backs_off_and_the_run_goes_on_without_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    answers = [FAILURES[name] for name in SICK] * 40
    with ModelServer(in_turn(*answers)) as server:
        settings = (EVALUATIONS, "budget.evaluations=40", "llm.rest_after=1", "llm.rest_s=30")
        mutators = "mutators=[{name: schedule}, {name: rewrite}]"
        done = evolve(run, model(server.base_url, parallel=8), *settings, mutators)
        assert len(server.requests) < len(answers)
    assert len(records(run)) == 40
    assert "model scripted backs off for 30 s after 1 failure in a row" in done.stderr
    assert "the run continues without it" in done.stderr


def test_a_run_whose_only_model_refuses_its_key_stops_with_that_reason(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(in_turn(FAILURES["no-key"])) as server:
        settings = ("budget.minutes=2", "llm.rest_after=2", *ONLY_REWRITE)
        done = evolve(run, model(server.base_url), *settings, code=1)
    assert "model scripted is not asked any more" in done.stderr
    assert "stopped: no model answers" in done.stdout
    with RunFolder.open(run) as folder:
        assert folder.events.all()[-1].text == "no_model"


@pytest.mark.parametrize(
    ("budget", "reason", "requests"),
    [
        ("budget.requests=5", "requests", 5),
        ("budget.tokens=30000", "tokens", None),
        ("budget.usd=0.05", "usd", None),
    ],
)
def test_each_budget_of_the_models_stops_the_run_by_its_name_and_is_never_passed(
    tmp_path: Path, budget: str, reason: str, requests: int | None
) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel(number % 15 + 2))) as server:
        prices = "{input: 1.0, output: 5.0}"
        settings = (EVALUATIONS, budget, *ONLY_REWRITE)
        evolve(run, model(server.base_url, max_tokens=2000, price=prices), *settings)
        if requests is not None:
            assert len(server.requests) == requests
    with RunFolder.open(run) as folder:
        assert folder.events.all()[-1].text == reason
        spent = folder.conversations.spending()["scripted"]
        assert folder.evaluations.unfinished() == []
        assert folder.conversations.unended() == []
    assert spent.replies >= 2
    assert spent.tokens <= 30000 or reason != "tokens"
    assert 0 < spent.cost <= 0.05 or reason != "usd"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "budget", "reason"),
    [
        (Answer("", finish="length", counts={"prompt_tokens": 2500, "completion_tokens": 2000}), "usd=0.08", "usd"),
        (Answer("", counts={"prompt_tokens": 2500, "completion_tokens": 900}), "tokens=30000", "tokens"),
        (
            Answer(status=500, raw=b'{"error": {"message": "boom"}, "usage": {"prompt_tokens": 2500}}'),
            "requests=7",
            "requests",
        ),
        (Answer("prose", counts={"prompt_tokens": 2500, "completion_tokens": 900}), "tokens=30000", "tokens"),
    ],
    ids=["full", "empty", "error", "unreadable"],
)
def test_requests_that_bring_nothing_count_by_what_the_server_says_and_pass_no_budget(
    tmp_path: Path, answer: Answer, budget: str, reason: str
) -> None:
    run = tmp_path / "run"
    with ModelServer(in_turn(answer)) as server:
        settings = (EVALUATIONS, f"budget.{budget}", "llm.rest_after=100", *ONLY_REWRITE)
        evolve(run, model(server.base_url, max_tokens=2000, price="{input: 1.0, output: 5.0}"), *settings)
        requests = len(server.requests)
    counts = answer.counts or {"prompt_tokens": 2500, "completion_tokens": 0}
    cost = (counts["prompt_tokens"] * 1.0 + counts["completion_tokens"] * 5.0) / 1e6
    with RunFolder.open(run) as folder:
        spent = folder.conversations.spending()["scripted"]
        assert folder.events.all()[-1].text == reason
    assert (spent.requests, spent.tokens) == (requests, requests * sum(counts.values()))
    assert spent.cost == pytest.approx(requests * cost)
    assert requests >= 3
    assert requests <= 7 or reason != "requests"
    assert spent.tokens <= 30000 or reason != "tokens"
    assert spent.cost <= 0.08 or reason != "usd"


@pytest.mark.slow
def test_a_model_whose_replies_are_useless_is_reported_backs_off_and_is_listed_by_kind(tmp_path: Path) -> None:
    run = tmp_path / "run"
    refusal = Answer(refusal="I \x1b[31mcannot[/red]")
    script = in_turn(REPLIES["prose"], REPLIES["prose"], refusal, FAILURES["full-context"])
    with ModelServer(script) as server:
        settings = (EVALUATIONS, "budget.evaluations=20", "llm.rest_after=3", "llm.rest_s=60")
        mutators = "mutators=[{name: schedule}, {name: rewrite, weight: 20}]"
        done = evolve(run, model(server.base_url, parallel=1), *settings, *ONLY_REWRITE[1:], mutators)
    told = [line for line in done.stderr.splitlines() if "model scripted" in line]
    assert "unreadable: " in told[0]
    assert "; the reply begins: I would block the loops for the cache" in told[0]
    assert "content_filtered: 127.0.0.1" in told[1]
    assert "the model or its filter declined: I cannot[/red]" in told[1]
    assert "empty: 127.0.0.1" in told[2]
    assert "the server's context of about 4,096 tokens is full" in told[2]
    assert "backs off for 60 s after 3 failures in a row" in told[3]
    assert len(told) == 4
    shown = run_forked(["show", str(run)], environment()).stdout
    table = shown[shown.index("failures of models") :].splitlines()
    assert [line.split()[:3] for line in table if line.startswith("scripted")] == [
        ["scripted", "content_filtered", "1"],
        ["scripted", "empty", "1"],
        ["scripted", "unreadable", "1"],
    ]
    assert "I cannot[/red]" in table[2]


@pytest.mark.slow
def test_a_model_that_is_not_asked_any_more_does_not_back_off(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(in_turn(FAILURES["no-key"])) as server:
        settings = (EVALUATIONS, "budget.evaluations=8", "llm.rest_after=1")
        evolve_with = "mutators=[{name: schedule}, {name: rewrite, weight: 20}]"
        done = evolve(run, model(server.base_url, parallel=4), *settings, evolve_with)
    assert done.stderr.count("model scripted is not asked any more: ") == 1
    assert "backs off" not in done.stderr


def test_a_prompt_that_fits_into_no_budget_ends_the_run_instead_of_being_composed_again_and_again(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: reply(kernel())) as server:
        # sources are never shortened, so a prompt is longer than this limit, and than what the budget leaves for it
        settings = (EVALUATIONS, "llm.prompt_tokens=1000", "budget.tokens=3100", *ONLY_REWRITE)
        evolve(run, model(server.base_url, max_tokens=2000), *settings)
        assert server.requests == []
    with RunFolder.open(run) as folder:
        assert folder.events.all()[-1].text == "tokens"
        begun = list(folder.conversations.all())
    assert 1 <= len(begun) <= 4  # as many as stood in line at once


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


@pytest.mark.isa_dependent
@pytest.mark.isa("sse2")
def test_replies_for_a_wider_machine_do_not_compile_and_the_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    seeds = parents_of_transcripts(tmp_path)
    with ModelServer(transcripts()) as server:
        settings = (EVALUATIONS, "budget.evaluations=20", "mutators=[{name: rewrite}, {name: schedule}]")
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


def parents_of_transcripts(folder: Path) -> str:
    path = folder / "second.c"
    path.write_text(kernel(4))
    return str(path)


def test_a_replay_proposes_the_same_and_asks_nobody(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    wrong_first = by_operator(
        {"result is wrong": REPLIES["mends-wrong"], "": [REPLIES["wrong"], *map(reply, map(kernel, range(2, 14)))]}
    )
    mutators = "mutators=[{name: schedule}, {name: rewrite}]"
    with ModelServer(wrong_first) as server:
        evolve(first, model(server.base_url), EVALUATIONS, "budget.evaluations=12", mutators)
        asked = len(server.requests)
        evolve(second, model(server.base_url), "budget.minutes=0.001", mutators, more=["--replay", str(first)])
        assert len(server.requests) == asked
    assert proposals(first) == proposals(second)
    assert len(by_model(second)) >= len(by_model(first)) > 0
    with RunFolder.open(second) as folder:
        assert folder.events.all()[-1].text == "replayed"
        assert not [event for event in folder.events.all() if event.kind is EventKind.REPLAY]


@pytest.mark.slow
def test_kill_9_with_requests_in_flight_asks_again_only_what_was_not_answered(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def script(body: object, number: int) -> Answer:
        return Answer(reply(kernel(number % 15 + 2), f"idea {number}"), delay_s=0.0 if number < 4 else 1.5)

    with ModelServer(script) as server:
        settings = (model(server.base_url, parallel=4), "budget.minutes=5", *ONLY_REWRITE)
        with forked(command(run, *settings), environment()) as process:
            wait_for_evaluations(run, 4)
            wait_for_requests(server, 6)
            process.kill()
        with RunFolder.open(run) as folder:
            before = list(folder.conversations.all())
        answered = [call for c in before for call in c.calls if call.answered]
        unanswered = [call for c in before for call in c.calls if not call.answered]
        assert answered
        assert unanswered
        num_before = len(server.requests)
        more = (EVALUATIONS, f"budget.requests={len(answered) + 2 * len(unanswered)}", *ONLY_REWRITE)
        evolve(run, model(server.base_url, parallel=4), *more, more=["--resume"])
        again = server.requests[num_before:]
    assert len(again) == len(unanswered)
    assert {json.dumps(request.body["messages"]) for request in again} == {
        json.dumps([{"role": m.role, "content": m.content} for m in call.messages]) for call in unanswered
    }
    with RunFolder.open(run) as folder:
        after = {c.id: c for c in folder.conversations.all()}
        assert folder.conversations.unended() == []
        assert folder.evaluations.unfinished() == []
    for conversation in before:
        for call in conversation.calls:
            if call.answered:
                assert call in after[conversation.id].calls
    assert len({r.proposal_id for r in records(run)}) == len(records(run))
    wait_until_none()


def wait_for_requests(server: ModelServer, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(server.requests) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(server.requests) >= count


@pytest.mark.slow
def test_an_interrupt_keeps_the_replies_that_come_in_time(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: Answer(reply(kernel(number % 15 + 2)), delay_s=1.0)) as server:
        slow = command(run, model(server.base_url), "budget.minutes=5", *ONLY_REWRITE)
        with forked(slow, environment()) as process:
            wait_for_requests(server, 3)
            process.send_signal(signal.SIGINT)
            done = process.finish(60)
        assert done.returncode == 130, done.stderr
        assert "interrupted; continue with --resume" in done.stdout
        with RunFolder.open(run) as folder:
            calls = [call for conversation in folder.conversations.all() for call in conversation.calls]
            assert all(call.answered for call in calls)
            waiting = len(folder.evaluations.unfinished())
            evaluated = folder.evaluations.count()
        asked = len(server.requests)
        more = (EVALUATIONS, f"budget.evaluations={evaluated + waiting}", *ONLY_REWRITE)
        evolve(run, model(server.base_url), *more, more=["--resume"])
    assert len(server.requests) <= asked + 2
    assert len(records(run)) == evaluated + waiting


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
