"""When a model is rested, when it is given up, and what follows from which failure."""

from __future__ import annotations

import pytest
from qdkernel.search.llm_health import EndpointHealth

from qdkernel.llm import FailureKind

WHY = "host: why"


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind not in (FailureKind.KEY, FailureKind.REJECTED)])
def test_every_kind_of_failure_sends_a_model_to_rest(kind: FailureKind) -> None:
    health = EndpointHealth(rest_after=3, rest_s=60.0)
    said = [health.failed(kind, WHY, 10.0) for _ in range(3)]
    assert said == ["", "", f"rests for 60 s after 3 failures in a row ({WHY}); the run goes on without it"]
    assert health.awake_at == 70.0
    assert not health.given_up


def test_rests_double_up_to_ten_minutes_until_the_model_answers() -> None:
    health = EndpointHealth(rest_after=1, rest_s=200.0)
    now, rests = 0.0, []
    for _ in range(4):
        health.failed(FailureKind.EMPTY, WHY, now)
        rests.append(health.awake_at - now)
        now = health.awake_at
    assert rests == [200.0, 400.0, 600.0, 600.0]
    assert health.succeeded()
    assert not health.succeeded()
    assert health.failed(FailureKind.EMPTY, WHY, now).startswith("rests for 200 s after 1 failure in a row")


def test_a_failure_during_a_rest_does_not_lengthen_it() -> None:
    health = EndpointHealth(rest_after=1, rest_s=60.0)
    health.failed(FailureKind.EMPTY, WHY, 0.0)
    assert health.failed(FailureKind.EMPTY, WHY, 30.0) == ""
    assert health.awake_at == 60.0


def test_what_is_given_up_does_not_rest() -> None:
    health = EndpointHealth(rest_after=2, rest_s=60.0)
    kinds = [FailureKind.KEY, FailureKind.KEY, FailureKind.KEY, FailureKind.EMPTY, FailureKind.EMPTY]
    assert [health.failed(kind, WHY, 0.0) for kind in kinds] == ["", f"is given up: {WHY}", "", "", ""]
    assert (health.awake_at, health.rests) == (0.0, 0)


def test_only_failures_that_no_waiting_mends_give_a_model_up() -> None:
    health = EndpointHealth(rest_after=2, rest_s=60.0)
    health.failed(FailureKind.TIMEOUT, WHY, 0.0)
    assert health.failed(FailureKind.REJECTED, WHY, 0.0).startswith("rests for 60 s after 2 failures in a row")
    assert health.failed(FailureKind.REJECTED, WHY, 0.0) == f"is given up: {WHY}"


def test_a_late_reply_brings_back_a_model_that_was_given_up() -> None:
    health = EndpointHealth(rest_after=1, rest_s=60.0)
    health.failed(FailureKind.KEY, WHY, 0.0)
    assert health.succeeded()
    assert not health.given_up
