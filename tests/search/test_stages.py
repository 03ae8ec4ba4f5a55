from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qdkernel.config import UntilConfig, load_config
from qdkernel.core import Cell, Stage, parse_cell, reachable_cells
from qdkernel.errors import ConfigError
from qdkernel.search.assemble import assemble
from qdkernel.search.stages import StagePlan, StageSchedule
from qdkernel.search.state import StageState
from tests.fake_runs import new_run
from tests.search.offline import environment

REACHABLE = frozenset(reachable_cells([128, 256]))
PLAIN = Stage("plain", permits={"simd": frozenset({"scalar"}), "threading": frozenset({"serial"})})
SIMD = Stage(
    "simd",
    permits={"threading": frozenset({"serial"}), "prefetch": frozenset({"none"})},
    requires={"simd": frozenset({"512", "256"})},
)
ALL = Stage("all")
EVIDENCE = {"threading": "one parallel loop in static shares", "simd": "no vectors"}


def clock(*until: UntilConfig | None, stages: tuple[Stage, ...] = (PLAIN, SIMD, ALL)) -> StageSchedule:
    ends = (*until, *[UntilConfig(evaluations=1000)] * (len(stages) - len(until)))
    return StageSchedule(StagePlan(stages, "advance", ends), REACHABLE)


def name_of(stages: StageSchedule) -> str:
    return stages.current(np.random.default_rng(0)).name


def test_a_stage_without_conditions_permits_every_cell() -> None:
    assert ALL.cells(REACHABLE) == REACHABLE
    assert all(ALL.refusal(cell, {}) is None for cell in REACHABLE)


def test_the_cells_of_a_stage_are_those_it_does_not_refuse() -> None:
    for stage in (PLAIN, SIMD):
        assert stage.cells(REACHABLE) == {cell for cell in REACHABLE if stage.refusal(cell, {}) is None}
    assert PLAIN.cells(REACHABLE) == {cell for cell in REACHABLE if cell[1:3] == (0, 0)}
    assert {cell[1:] for cell in SIMD.cells(REACHABLE)} == {(2, 0, 0)}  # 512 is required too, but not reachable


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (
            "packed/256/static/none",
            "outside stage 'simd': threading is static (one parallel loop in static shares), but the stage permits "
            "serial",
        ),
        (
            "none/scalar/serial/none",
            "outside stage 'simd': simd is scalar (no vectors), but the stage requires 256 or 512",
        ),
        (
            "none/128/dynamic/near",
            "outside stage 'simd': simd is 128 (no vectors), but the stage requires 256 or 512; "
            "threading is dynamic (one parallel loop in static shares), but the stage permits serial; "
            "prefetch is near, but the stage permits none",
        ),
    ],
)
def test_a_refusal_names_axis_level_evidence_and_what_would_do(cell: str, reason: str) -> None:
    assert SIMD.refusal(parse_cell(cell), EVIDENCE) == reason


def test_a_level_that_is_required_but_not_permitted_gives_one_reason() -> None:
    stage = Stage("odd", {"simd": frozenset({"scalar", "128"})}, {"simd": frozenset({"128", "256"})})
    assert stage.cells(REACHABLE) == {cell for cell in REACHABLE if cell[1] == 1}
    refused = stage.refusal(Cell(0, 2, 0, 0), {})
    assert refused == "outside stage 'odd': simd is 256, but the stage permits scalar or 128"


def test_a_stage_can_be_sent_to_a_worker() -> None:
    refusal = pickle.loads(pickle.dumps(SIMD.refusal))
    assert refusal(Cell(4, 2, 1, 0), EVIDENCE) == SIMD.refusal(Cell(4, 2, 1, 0), EVIDENCE)


def test_a_stage_ends_after_its_evaluations() -> None:
    stages = clock(UntilConfig(evaluations=3), UntilConfig(evaluations=2))
    seen = []
    for _ in range(6):
        seen.append(name_of(stages))
        stages.record(name_of(stages), True, ())
    assert seen == ["plain"] * 3 + ["simd"] * 2 + ["all"]


def test_the_evaluation_that_ends_a_stage_tells_which_begins() -> None:
    stages = clock(UntilConfig(evaluations=2))
    assert stages.record("plain", True, ()) is None
    assert stages.record("plain", True, ()) == SIMD


def test_a_stage_ends_when_it_has_placed_nothing_for_long_enough() -> None:
    stages = clock(UntilConfig(stagnation=2))
    for placed in (False, True, False):
        assert stages.record("plain", placed, ()) is None
    assert stages.record("plain", False, ()) == SIMD


def test_a_stage_ends_when_enough_of_its_own_reachable_cells_are_filled() -> None:
    stages = clock(UntilConfig(coverage=0.25))
    own, others = sorted(PLAIN.cells(REACHABLE)), REACHABLE - PLAIN.cells(REACHABLE)
    assert len(own) == 20
    assert stages.record("plain", True, {*own[:4], *others}) is None
    assert stages.record("plain", True, own[:5]) == SIMD


def test_a_stage_whose_cells_are_covered_already_is_passed_by() -> None:
    stages = clock(UntilConfig(evaluations=1), UntilConfig(coverage=0.5))
    assert stages.record("plain", True, SIMD.cells(REACHABLE)) == ALL


def test_whichever_criterion_holds_first_ends_the_stage() -> None:
    stages = clock(UntilConfig(evaluations=50, stagnation=3, coverage=0.9))
    assert [stages.record("plain", False, ()) for _ in range(3)] == [None, None, SIMD]


def test_evaluations_of_a_stage_that_is_over_count_no_more() -> None:
    stages = clock(UntilConfig(evaluations=1), UntilConfig(evaluations=2))
    stages.record("plain", True, ())
    assert [stages.record("plain", True, ()) for _ in range(5)] == [None] * 5
    assert name_of(stages) == "simd"


def test_the_last_stage_never_ends() -> None:
    stages = clock(UntilConfig(evaluations=1), stages=(ALL,))
    assert [stages.record("all", False, REACHABLE) for _ in range(5)] == [None] * 5


def test_a_stage_this_machine_cannot_reach_is_skipped() -> None:
    wide = Stage("wide", requires={"simd": frozenset({"512"})})
    stages = clock(UntilConfig(evaluations=1), UntilConfig(evaluations=1), stages=(PLAIN, wide, ALL))
    assert stages.skipped == ("wide",)
    assert stages.record("plain", True, ()) == ALL
    with pytest.raises(ConfigError, match="expected a stage that this machine can reach, got wide, which ask for SIMD"):
        clock(stages=(wide,))


def test_drawn_stages_come_up_alike_and_nothing_advances_them() -> None:
    stages, rng = StageSchedule(StagePlan((PLAIN, SIMD, ALL), "draw"), REACHABLE), np.random.default_rng(0)
    drawn = [stages.current(rng).name for _ in range(300)]
    assert min(drawn.count(stage.name) for stage in (PLAIN, SIMD, ALL)) > 70
    assert stages.record("plain", False, REACHABLE) is None


def test_a_restored_clock_goes_on_where_it_was() -> None:
    def plan() -> StageSchedule:
        return clock(UntilConfig(evaluations=2), UntilConfig(evaluations=9, stagnation=3))

    stages, restored = plan(), plan()
    for placed in (True, True, True, False, False):
        stages.record(name_of(stages), placed, ())
    restored.restore(stages.state())
    assert name_of(restored) == "simd"
    assert restored.record("simd", False, ()) == ALL == stages.record("simd", False, ())


def test_a_stage_that_is_no_longer_planned_leaves_the_clock_at_the_first() -> None:
    stages = clock(UntilConfig(evaluations=2))
    stages.restore(StageState(stage="gone", evaluations=7, stagnation=7))
    assert name_of(stages) == "plain"
    assert stages.record("plain", True, ()) is None


def test_stages_are_found_by_name_with_their_cells() -> None:
    stages = clock()
    assert stages.stage("simd") == SIMD
    assert stages.stage("gone") is None
    assert stages.cells(SIMD) == SIMD.cells(REACHABLE)


def test_a_plan_whose_parts_do_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an end for each of the 2 stages, got 1"):
        StagePlan((PLAIN, ALL), "advance", (UntilConfig(evaluations=1),))
    with pytest.raises(ValueError, match="expected one or more stages with different names"):
        StagePlan((ALL, ALL), "draw")


def test_cells_of_another_machine_are_judged_alike() -> None:
    cell: Cell = parse_cell("none/512/serial/none")
    assert SIMD.refusal(cell, {}) is None


def test_a_user_is_told_which_stages_are_skipped(tmp_path: Path) -> None:
    wide = {"name": "wide", "requires": {"simd": ["512"]}, "until": {"evaluations": 1}}
    config = load_config({"problem": "dgemm", "budget": {"evaluations": 1}, "stages": [wide, {"name": "all"}]})
    said: list[str] = []
    with environment(config) as place, new_run(tmp_path) as folder:
        narrow = replace(
            place, machine=replace(place.machine, simd_widths=(128,)), reachable=frozenset(reachable_cells((128,)))
        )
        assemble(narrow, folder, lambda status: None, said.append).close()
    assert said == ["stage wide is skipped: it asks for SIMD widths that this machine does not have"]
