"""Every trainer's callable with the arguments that the trainer documents; the judge is the real one."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import Any

import pytest

from qdkernel.config import Config
from qdkernel.errors import ConfigError
from qdkernel.rewards import (
    JudgeUnreachable,
    KernelEnvironment,
    LocalJudge,
    RemoteJudge,
    Reward,
    TRLSpec,
    configured,
    prompt_rows,
)
from tests.rewards.kernels import broken, fast, renamed, threaded, wrong

PROMPT = [{"role": "user", "content": "Write dgemm."}]


@dataclass
class Sample:
    """slime's Sample, as far as its documented fields go."""

    prompt: Any
    response: str
    label: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)


def fenced(source: str) -> str:
    return f"```c\n{source}\n```"


def said(source: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": fenced(source)}]


@pytest.fixture(scope="module")
def reward(judge: LocalJudge) -> Reward:
    return Reward(judge)


@pytest.fixture
def unreachable() -> Reward:
    return Reward("http://127.0.0.1:9", patience_s=0.1)


@pytest.mark.slow
def test_trl_calls_by_keyword_with_messages_and_columns(reward: Reward) -> None:
    logged: dict[str, float] = {}
    found = reward.trl_reward(
        prompts=[PROMPT] * 4,
        completions=[said(fast()), said(wrong()), said(threaded()), said(broken())],
        completion_ids=[[1]] * 4,
        trainer_state=None,
        log_extra=lambda column, values: None,
        log_metric=logged.__setitem__,
        stage=["", "", "blocking", ""],
        other=[1, 2, 3, 4],
    )
    assert found[0] is not None
    assert found[0] > 0.3
    assert found[1:] == [0.2, 0.1, 0.08]
    assert logged["kernel/correct"] == 0.25
    assert logged["kernel/gflops"] > 0


def test_trl_runs_the_asynchronous_function_on_its_event_loop(reward: Reward) -> None:
    assert inspect.iscoroutinefunction(reward.trl_reward_async)
    assert reward.trl_reward.__name__ == "trl_reward"
    prompts, completions = ["text"] * 2, [fenced(fast()), fenced(wrong())]
    assert asyncio.run(reward.trl_reward_async(prompts=prompts, completions=completions)) == reward.trl_reward(
        prompts, completions
    )


def test_trl_gets_none_when_the_judge_is_not_reachable(unreachable: Reward) -> None:
    assert unreachable.trl_reward(prompts=[PROMPT], completions=[said(fast())]) == [None]


def test_verl_calls_once_per_sample_and_logs_the_raw_values(reward: Reward) -> None:
    found = reward.compute_score(
        data_source="qdkernel", solution_str=fenced(fast()), ground_truth="", extra_info={"num_turns": 1}, key=1
    )
    assert found["score"] > 0.3
    assert found["correct"] == 1.0
    assert found["gflops"] > 0
    staged = reward.compute_score("qdkernel", fenced(threaded()), None, {"stage": "blocking"})
    assert (staged["score"], staged["ending"]) == (0.1, "outside_stage")


def test_openrlhf_calls_with_lists_of_one_and_prompts_in_front(reward: Reward) -> None:
    prompt = f"<|im_start|>user\nImprove\n{fenced(fast())}<|im_end|>\n<|im_start|>assistant\n"
    found = reward.reward_func([prompt + fenced(wrong()) + "<|im_end|>"], [prompt], ['{"stage": "blocking"}'])
    assert found["rewards"] == found["scores"] == [0.2]
    assert found["extra_logs"]["correct"] == [0.0]


def test_slime_calls_with_a_sample_and_with_a_group(reward: Reward) -> None:
    samples = [Sample("p", fenced(fast())), Sample("p", fenced(threaded()), metadata={"stage": "blocking"})]
    alone = asyncio.run(reward.custom_rm(None, samples[0]))
    assert asyncio.run(reward.custom_rm_group(None, samples)) == [alone, 0.1]


def test_slime_ranks_a_whole_group(judge: LocalJudge) -> None:
    samples = [Sample("p", fenced(source)) for source in (fast(), wrong(), renamed(fast()))]
    assert asyncio.run(Reward(judge, "rank").custom_rm_group(None, samples)) == pytest.approx([0.65, 0.2, 0.65])


def test_ms_swift_makes_the_class_and_calls_it_with_columns(reward: Reward) -> None:
    orm = reward.swift_orm()(args=None)
    found = orm([fenced(fast()), fenced(threaded())], messages=[PROMPT] * 2, stage=["", "blocking"], trainer_state=None)
    assert found[0] > 0.3
    assert found[1] == 0.1


def test_where_there_is_no_none_an_outage_raises(unreachable: Reward) -> None:
    sample = Sample("p", fenced(fast()))
    for call in (
        lambda: unreachable.compute_score("q", fenced(fast()), ""),
        lambda: unreachable.reward_func([fenced(fast())], [""], [""]),
        lambda: asyncio.run(unreachable.custom_rm(None, sample)),
        lambda: asyncio.run(unreachable.custom_rm_group(None, [sample])),
        lambda: unreachable.swift_orm()()([fenced(fast())]),
    ):
        with pytest.raises(JudgeUnreachable, match=r"no verdict within 0 s .*check that `qdkernel serve` runs there"):
            call()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"expected the address of a judge such as http://127\.0\.0\.1:8077, got 'ftp:x'"
    ):
        RemoteJudge("ftp:x")


def test_trainers_that_take_an_import_path_share_the_reward_of_the_environment(
    judge: LocalJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured.configured_reward.cache_clear()
    monkeypatch.delenv("QDKERNEL_REWARD", raising=False)
    with pytest.raises(ConfigError, match="expected QDKERNEL_REWARD to be a configuration's path or a judge's address"):
        configured.trl_reward(["p"], ["c"])
    monkeypatch.setenv("QDKERNEL_REWARD", "http://127.0.0.1:9")
    made = configured.configured_reward()
    made._judge = judge  # the address only has to be read
    assert configured.trl_reward(["p"], [fenced(wrong())]) == [0.2]
    assert asyncio.run(configured.trl_reward_async(["p"], [fenced(wrong())])) == [0.2]
    assert configured.compute_score("q", fenced(wrong()), "")["score"] == 0.2
    assert configured.reward_func([fenced(wrong())], [""], [""])["rewards"] == [0.2]
    assert asyncio.run(configured.custom_rm(None, Sample("p", fenced(wrong())))) == 0.2
    assert asyncio.run(configured.custom_rm_group(None, [Sample("p", fenced(wrong()))])) == [0.2]
    configured.configured_reward.cache_clear()


def test_prompts_name_their_stage_and_ask_for_a_cell_that_it_permits(config: Config) -> None:
    rows = prompt_rows(config, 8)
    assert [row["stage"] for row in rows] == ["blocking"] * 2 + ["simd"] * 2 + ["threads"] * 2 + ["everything"] * 2
    assert all(row["prompt"][0]["role"] == "system" for row in rows)
    assert "blocking" in rows[0]["prompt"][-1]["content"]
    assert rows == prompt_rows(config, 8)


def test_the_environment_lets_a_model_judge_kernels_and_owns_the_reward(reward: Reward, config: Config) -> None:
    spec = TRLSpec(reward, prompt_rows(config, 2), tools=True)
    factory = spec.environment_factory
    assert factory is not None
    environment = factory()
    assert isinstance(environment, KernelEnvironment)
    assert spec.reward_funcs == []
    assert environment.reset(prompt=PROMPT, stage="blocking") is None
    assert environment.get_reward() == 0.0
    assert environment.judge_kernel(wrong()).startswith("wrong: ")
    assert environment.get_reward() == 0.2
    environment.reset(prompt=PROMPT, stage="")
    assert environment.judge_kernel(fast()).startswith("ok: ")
    best = environment.get_reward()
    assert best is not None
    assert best > 0.3
