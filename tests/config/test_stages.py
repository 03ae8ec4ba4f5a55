"""The stages of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.config import Config, UntilConfig, dump_config, load_config
from qdkernel.core import Stage, reachable_cells
from qdkernel.errors import ConfigError
from qdkernel.search import plan_of
from qdkernel.search.stages import StagePlan, StageSchedule
from tests.paths import CONFIGS

LEAST = "problem: dgemm\nbudget: {minutes: 3}\n"


def loaded(folder: Path, text: str) -> Config:
    path = folder / "run.yaml"
    path.write_text(LEAST + text, encoding="utf-8")
    return load_config(path)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return str(caught.value).removeprefix(f"{folder}/")


def test_without_stages_there_is_no_plan(tmp_path: Path) -> None:
    config = loaded(tmp_path, "")
    assert plan_of(config.stages, config.stage_order) is None


def test_stages_become_a_plan_and_survive_being_dumped(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "stages:\n"
        "- {name: first, permits: {threading: [serial], simd: [scalar, 128, '256']}, until: {stagnation: 9}}\n"
        "- {name: second, requires: {simd: [512]}, until: {coverage: 0.5, evaluations: 20}}\n"
        "- name: rest\n",
    )
    first = {"threading": frozenset({"serial"}), "simd": frozenset({"scalar", "128", "256"})}
    assert plan_of(config.stages, config.stage_order) == StagePlan(
        (Stage("first", first), Stage("second", {}, {"simd": frozenset({"512"})}), Stage("rest")),
        "advance",
        (UntilConfig(stagnation=9), UntilConfig(evaluations=20, coverage=0.5), None),
    )
    dumped = tmp_path / "config.yaml"
    dumped.write_text(dump_config(config), encoding="utf-8")
    assert load_config(dumped) == config


def test_stages_can_be_drawn_and_need_no_end_then(tmp_path: Path) -> None:
    config = loaded(tmp_path, "stage_order: draw\nstages: [{name: a}, {name: b, permits: {simd: [256]}}]\n")
    plan = plan_of(config.stages, config.stage_order)
    assert plan is not None
    assert (plan.order, [stage.name for stage in plan.stages]) == ("draw", ["a", "b"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "stages: [{name: a, permits: {sind: [scalar]}}]",
            "run.yaml:3: stages[0].permits: no axis 'sind'; did you mean 'simd'? "
            "(known: blocking, prefetch, simd, threading)",
        ),
        (
            "stages:\n- name: a\n  requires:\n    threading: [seriell]",
            "run.yaml:5: stages[0].requires: no threading level 'seriell'; did you mean 'serial'? "
            "(known: dynamic, nested, serial, static)",
        ),
        (
            "stages: [{name: a, permits: {simd: [1024]}}]",
            "run.yaml:3: stages[0].permits: no simd level '1024'; (known: 128, 256, 512, scalar)",
        ),
        (
            "stages: [{name: a, permits: {simd: []}}]",
            "run.yaml:3: stages[0].permits.simd: expected a non-empty list, each entry a non-empty text or a whole "
            "number, got an empty list",
        ),
        (
            "stages: [{name: a, permits: {simd: [true]}}]",
            "run.yaml:3: stages[0].permits.simd[0]: expected a non-empty text or a whole number, got true",
        ),
        (
            "stages: [{name: a, permits: {simd: scalar}}]",
            "run.yaml:3: stages[0].permits.simd: expected a non-empty list, each entry a non-empty text or a whole "
            "number, got 'scalar'",
        ),
        (
            "stages: [{name: a, permits: {simd: [scalar]}, requires: {simd: [256, 512]}}]",
            "run.yaml:3: stages[0]: expected a cell that the stage permits, got none: it requires simd 256 or 512 and "
            "permits scalar; permit what is required",
        ),
        (
            "stages: [{name: a}, {name: b}]",
            "run.yaml:3: stages: expected until in every stage but the last, got none in 'a'; add e.g. until: "
            "{stagnation: 40}",
        ),
        (
            "stages: [{name: a, until: {evaluations: 3}}]",
            "run.yaml:3: stages: expected no until in the last stage, got one in 'a'; remove it: it lasts "
            "until the end",
        ),
        (
            "stage_order: draw\nstages: [{name: a, until: {evaluations: 3}}]",
            "run.yaml:4: stages: expected no until where stages are drawn for each proposal, got one in 'a'; remove "
            "it, or write stage_order: advance",
        ),
        (
            "stages: [{name: a, until: {coverage: 0.2}}, {name: a}]",
            "run.yaml:3: stages: expected each stage by a name of its own, got a more than once",
        ),
        (
            "stages: [{name: a, until: {}}, {name: b}]",
            "run.yaml:3: stages[0].until: expected evaluations, stagnation or coverage to be set, got none of them; "
            "e.g. stagnation: 40",
        ),
        (
            "stages: [{name: a, until: {coverage: 2}}, {name: b}]",
            "run.yaml:3: stages[0].until.coverage: expected a number > 0 and <= 1 or null, got 2",
        ),
        (
            "stage_order: random",
            "run.yaml:3: stage_order: expected one of the words 'advance', 'draw', got 'random'",
        ),
    ],
)
def test_a_mistake_in_the_stages_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(tmp_path, text + "\n") == expected


def test_the_shipped_stages_can_all_be_reached_with_128_bits() -> None:
    config = load_config(CONFIGS / "gemm-staged.yaml")
    plan = plan_of(config.stages, config.stage_order)
    assert plan is not None
    clock = StageSchedule(plan, frozenset(reachable_cells([128])))
    assert clock.skipped == ()
    assert [len(clock.cells(stage)) for stage in plan.stages] == [5, 5, 30, 160]
