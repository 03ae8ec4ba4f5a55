"""The staged curriculum: when stages end, and that TRL's data set follows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qdkernel.errors import ConfigError
from qdkernel.rewards import Curriculum, LocalJudge, Reward, TRLSpec
from tests.rewards.kernels import fast, threaded, wrong

ROWS: list[dict[str, Any]] = [
    {"prompt": [{"role": "user", "content": f"{stage} {number}"}], "stage": stage}
    for stage in ("simd", "threads")
    for number in range(2)
]


def test_a_stage_ends_when_enough_of_its_latest_kernels_are_correct() -> None:
    curriculum = Curriculum(["blocking", "simd"], success=0.5, window=4)
    for correct in (True, False, False, False):
        curriculum.observe("blocking", correct)
    assert curriculum.stage == "blocking"
    curriculum.observe("blocking", True)  # the first one leaves the window
    curriculum.observe("simd", True)  # of another stage
    assert curriculum.stage == "blocking"
    curriculum.observe("blocking", True)
    assert curriculum.stage == "simd"
    for _ in range(8):
        curriculum.observe("simd", True)
    assert curriculum.stage == "simd"  # the last one stays


def test_a_stage_ends_after_its_steps_counted_from_its_beginning() -> None:
    curriculum = Curriculum(["blocking", "simd", "everything"], steps=10)
    stages = []
    for step in (0, 9, 10, 19, 20, 99):
        curriculum.at_step(step)
        stages.append(curriculum.stage)
    assert stages == ["blocking", "blocking", "simd", "simd", "everything", "everything"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "a curriculum needs stages, and success or steps as the end of each"),
        ({"success": 1.5}, r"expected success in \(0, 1\], window and steps of at least 1, got 1.5, 64, None"),
        ({"steps": 0}, "got None, 64, 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Curriculum(["blocking"], **settings)


@pytest.mark.slow
def test_trls_data_set_gives_the_prompts_of_the_stage_that_the_judged_kernels_have_reached(judge: LocalJudge) -> None:
    pytest.importorskip("datasets")
    reward = Reward(judge, curriculum=Curriculum(["simd", "threads"], success=0.5, window=2))
    data = TRLSpec(reward, ROWS).train_dataset
    assert len(data) == 4
    assert data[[0, 0, 3]]["stage"] == ["simd"] * 3
    prompts = [row["prompt"] for row in ROWS[:2]]
    state = SimpleNamespace(global_step=1)
    said = [[{"role": "assistant", "content": f"```c\n{kernel}\n```"}] for kernel in (threaded(), wrong())]
    reward.trl_reward(prompts, said, trainer_state=state, stage=["simd"] * 2)
    assert data[0]["stage"] == "simd"  # one is outside the stage, the other one wrong
    said = [[{"role": "assistant", "content": f"```c\n{fast()}\n```"}]] * 2
    reward.trl_reward(prompts, said, trainer_state=state, stage=["simd"] * 2)
    assert data[[0, 0, 3]]["stage"] == ["threads"] * 3
    assert data[[0, 0]]["prompt"] == [ROWS[2]["prompt"]] * 2
