"""Runs whose models fail, or whose budgets of requests, tokens and money are spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.runs import RunFolder
from tests.forked import run_forked
from tests.llm_server import FAILURES, REPLIES, Answer, ModelServer, in_turn
from tests.model_runs import (
    EVALUATIONS,
    ONLY_REWRITE,
    environment,
    evolve,
    kernel,
    model,
    records,
    reply,
)

SICK = ("rate-limit-ms", "server-error", "reset", "broken-json", "web-page", "cut-body", "no-choices", "empty")


@pytest.mark.slow
def test_a_failing_endpoint_backs_off_and_the_run_goes_on_without_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    answers = [FAILURES[name] for name in SICK] * 40
    with ModelServer(in_turn(*answers)) as server:
        settings = (EVALUATIONS, "budget.evaluations=20", "llm.rest_after=1", "llm.rest_s=30")
        mutators = "mutators=[{name: schedule}, {name: rewrite}]"
        done = evolve(run, model(server.base_url, parallel=8), *settings, mutators)
        assert len(server.requests) < len(answers)
    assert len(records(run)) == 20
    assert "model scripted backs off for 30 s after 1 failure in a row" in done.stderr
    assert "the run continues without it" in done.stderr


@pytest.mark.slow
def test_a_run_whose_only_model_refuses_its_key_stops_with_that_reason(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(in_turn(FAILURES["no-key"])) as server:
        settings = ("budget.minutes=2", "llm.rest_after=2", *ONLY_REWRITE)
        done = evolve(run, model(server.base_url), *settings, code=1)
    assert "model scripted is not asked any more" in done.stderr
    assert "stopped: no model answers" in done.stdout
    with RunFolder.open(run) as folder:
        assert folder.events.all()[-1].text == "no_model"


@pytest.mark.slow
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
        settings = (EVALUATIONS, "budget.evaluations=10", "llm.rest_after=3", "llm.rest_s=60")
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


@pytest.mark.slow
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
