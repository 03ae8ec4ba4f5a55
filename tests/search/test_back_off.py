"""When a model backs off, when it is not asked any more, and what follows from which failure."""

from __future__ import annotations

import pytest

from qdkernel.llm import FailureKind
from qdkernel.search.llm.back_off import BackOff

WHY = "host: why"


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind not in (FailureKind.KEY, FailureKind.REJECTED)])
def test_every_kind_of_failure_starts_a_back_off(kind: FailureKind) -> None:
    back_off = BackOff(after=3, first_s=60.0)
    texts = [back_off.failed(kind, WHY, 10.0) for _ in range(3)]
    assert texts == ["", "", f"backs off for 60 s after 3 failures in a row ({WHY}); the run continues without it"]
    assert back_off.available_at == 70.0
    assert not back_off.disabled_reason


def test_back_offs_double_up_to_ten_minutes_until_the_model_answers() -> None:
    back_off = BackOff(after=1, first_s=200.0)
    now, waits = 0.0, []
    for _ in range(4):
        back_off.failed(FailureKind.EMPTY, WHY, now)
        waits.append(back_off.available_at - now)
        now = back_off.available_at
    assert waits == [200.0, 400.0, 600.0, 600.0]
    assert back_off.succeeded()
    assert not back_off.succeeded()
    assert back_off.failed(FailureKind.EMPTY, WHY, now).startswith("backs off for 200 s after 1 failure in a row")


def test_a_failure_during_a_back_off_does_not_lengthen_it() -> None:
    back_off = BackOff(after=1, first_s=60.0)
    back_off.failed(FailureKind.EMPTY, WHY, 0.0)
    assert back_off.failed(FailureKind.EMPTY, WHY, 30.0) == ""
    assert back_off.available_at == 60.0


def test_a_disabled_model_does_not_back_off() -> None:
    back_off = BackOff(after=2, first_s=60.0)
    kinds = [FailureKind.KEY, FailureKind.KEY, FailureKind.KEY, FailureKind.EMPTY, FailureKind.EMPTY]
    assert [back_off.failed(kind, WHY, 0.0) for kind in kinds] == ["", f"is not asked any more: {WHY}", "", "", ""]
    assert (back_off.available_at, back_off.back_offs) == (0.0, 0)


def test_only_failures_that_no_waiting_mends_disable_a_model() -> None:
    back_off = BackOff(after=2, first_s=60.0)
    back_off.failed(FailureKind.TIMEOUT, WHY, 0.0)
    assert back_off.failed(FailureKind.REJECTED, WHY, 0.0).startswith("backs off for 60 s after 2 failures in a row")
    assert back_off.failed(FailureKind.REJECTED, WHY, 0.0) == f"is not asked any more: {WHY}"


def test_a_late_reply_brings_back_a_disabled_model() -> None:
    back_off = BackOff(after=1, first_s=60.0)
    back_off.failed(FailureKind.KEY, WHY, 0.0)
    assert back_off.succeeded()
    assert not back_off.disabled_reason
