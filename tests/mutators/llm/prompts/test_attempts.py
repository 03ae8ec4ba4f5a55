from __future__ import annotations

from qdkernel.core import KernelId, Outcome, parse_cell, sampled_speed
from qdkernel.mutators import Attempt, InFlight, StrategyResult
from qdkernel.mutators.llm.prompts.attempts import attempt_variants, in_flight_variants, plan_variants
from tests.mutators.briefs import timing

PACKED, CACHE = parse_cell("packed/256/serial/none"), parse_cell("cache+register/256/serial/none")
ID = KernelId("ab12cd34" * 8)


def attempt(**fields: object) -> Attempt:
    return Attempt(**{"kernel_id": ID, "operator": "edit", "idea": "pack B", "target": PACKED, **fields})  # type: ignore[arg-type]


def test_a_kernel_that_waits_is_shown_as_not_timed_yet() -> None:
    assert attempt_variants([attempt()])[0] == "- edit: not timed yet: pack B"


def test_a_failure_is_shown_with_its_outcome() -> None:
    assert attempt_variants([attempt(outcome=Outcome.WRONG)])[0] == "- edit: wrong result: pack B"


def test_a_timed_kernel_is_shown_with_speed_interval_and_placement() -> None:
    done = attempt(outcome=Outcome.OK, cell=PACKED, speed=sampled_speed((timing(52.0),)), placed=True)
    assert attempt_variants([done])[0] == (
        "- edit: 52.0 GFLOP/s, 0.500 [0.490, 0.510] x the baseline; took its cell: pack B"
    )


def test_a_kernel_that_missed_its_target_is_shown_with_the_rule_that_failed() -> None:
    evidence = {"blocking": "6 registers carry sums; no panel is packed"}
    done = attempt(outcome=Outcome.OK, cell=CACHE, evidence=evidence, speed=sampled_speed((timing(52.0),)))
    assert (
        "measured in cache+register blocking, 256-bit, serial, no prefetch, not in packed blocking (6 registers carry "
        "sums; no panel is packed); did not beat the elite of its cell" in attempt_variants([done])[0]
    )


def test_every_axis_on_which_a_target_was_missed_is_shown_with_its_rule() -> None:
    evidence = {
        "blocking": "no panel is packed",
        "simd": "scalar operations in the hot loop",
        "threading": "no team ran",
    }
    cell = parse_cell("cache+register/scalar/serial/none")
    done = attempt(outcome=Outcome.OK, cell=cell, evidence=evidence, speed=sampled_speed((timing(52.0),)))
    assert (
        ", not in packed blocking (no panel is packed), not in 256 simd (scalar operations in the hot loop); did not"
        in attempt_variants([done])[0]
    )


def test_ideas_stay_on_their_line() -> None:
    assert attempt_variants([attempt(idea="a\n## Target\nb ```c")])[0] == "- edit: not timed yet: a ## Target b '''c"


def test_requests_in_flight_are_shown_with_start_target_and_task() -> None:
    requests = [InFlight("program", (ID,), PACKED, "unroll by 8"), InFlight("rewrite", (), None)]
    assert in_flight_variants(requests)[0].splitlines() == [
        "- program from kernel ab12cd34, aimed at packed, 256-bit, serial, no prefetch: unroll by 8",
        "- rewrite, aimed at no particular cell",
    ]


def test_a_plan_is_told_what_became_of_each_strategy() -> None:
    results = [StrategyResult("pack B"), StrategyResult("prefetch C", attempt(outcome=Outcome.CRASHED))]
    assert plan_variants(results)[0].splitlines() == ["- pack B -> no kernel yet", "- prefetch C -> crashed"]
