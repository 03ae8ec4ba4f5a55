"""Whatever a model server sends, the client has a completion or a failure in one printable line."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz.endpoints import HostileServer, judge_answer, make_answer

SEED = 20261126
CASES = 50  # of the 10,000 of benchmarks/fuzz_endpoints.py


@pytest.mark.slow
def test_hostile_answers_end_in_a_completion_or_one_line() -> None:
    with HostileServer() as server:
        found = Counter(judge_answer(server, make_answer(SEED, number)) for number in range(CASES))
    assert found["completion"] > 3
    assert len(found) > 4


def test_a_case_is_known_by_seed_and_number() -> None:
    assert [make_answer(1, number) for number in range(20)] == [make_answer(1, number) for number in range(20)]
