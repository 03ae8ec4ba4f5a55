"""One reward for every trainer: completions in, numbers and raw values out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qdkernel.config import Config
from qdkernel.rewards.completion import Text, prompt_text, text_of
from qdkernel.rewards.curriculum import Curriculum
from qdkernel.rewards.judge import Judge, JudgeUnreachable, LocalJudge
from qdkernel.rewards.remote import RemoteJudge
from qdkernel.rewards.shapes import find_shape
from qdkernel.rewards.verdict import Ending, Submission, Verdict

Columns = Mapping[str, Any]  # Any: a trainer's dataset columns


@dataclass(frozen=True)
class Score:
    """A reward with the raw values beside it; ``value`` is ``None`` when nothing is known of the kernel."""

    value: float | None
    verdict: Verdict

    def raw(self) -> dict[str, float]:
        """Numbers for a trainer's log; what was not measured is 0."""
        verdict = self.verdict
        return {
            "gflops": verdict.gflops or 0.0,
            "ratio": verdict.ratio or 0.0,
            "share": verdict.share or 0.0,
            "correct": float(verdict.ending == "ok"),
            "duplicate": float(bool(verdict.duplicate_of)),
        }


class Reward:
    """Rewards completions by judging the kernels in them.

    The methods are named after the trainers that call them; see ``docs/training.md`` for each one's configuration. No
    trainer is imported. All methods may be called from several threads and no signal is used. A retried request joins
    the first measurement. The judge is opened by the first call.

    When nothing is known of a kernel (the machine was too busy to time it, the judge is not reachable) the reward
    is never a low score. TRL gets ``None``, which it leaves out of the group's mean. verl, OpenRLHF, slime and
    ms-swift have no such value: there ``JudgeUnreachable`` is raised after all retries.

    Args:
        judge: a configuration, the path of one, the address of a ``qdkernel serve``, or a judge.
        shape: how a verdict becomes a number: ``unit``, ``sqd``, ``log``, ``share``, ``rank`` or ``cell_rank``.
        group: ``duel`` ranks the completions of one prompt by interleaved duels where the trainer hands over whole
            groups (TRL, ms-swift, slime with ``--group-rm``); ``single`` takes each kernel's own timing.
        stage: a stage enforced on every completion; a ``stage`` column of the data set goes first.
        token: bearer token of the service; default: ``$QDKERNEL_SERVE_TOKEN``.
        patience_s: seconds for one batch at a service, queue included.
        curriculum: receives every judged kernel and, from TRL, the optimizer step.

    Raises:
        UnknownName: no such shape.
        ConfigError: not a usable address.
    """

    def __init__(
        self,
        judge: Config | Path | str | Judge,
        shape: str = "unit",
        *,
        group: Literal["single", "duel"] = "single",
        stage: str = "",
        token: str | None = None,
        patience_s: float = 1800.0,
        curriculum: Curriculum | None = None,
    ) -> None:
        import threading

        self.shape = shape
        self.curriculum = curriculum
        self._shape = find_shape(shape)
        self._duel = group == "duel"
        self._stage = stage
        self._source = judge
        self._judge: Judge | None = None
        self._opening = threading.Lock()
        if isinstance(judge, str) and judge.startswith(("http://", "https://")):
            self._judge = RemoteJudge(judge, token, patience_s)
        elif not isinstance(judge, (str, Path, Config)):
            self._judge = judge

    @property
    def judge(self) -> Judge:
        """The judge; a local one is opened here, which measures the machine's peaks once."""
        with self._opening:
            if self._judge is None:
                assert isinstance(self._source, (str, Path, Config))
                self._judge = LocalJudge.open(self._source)
            return self._judge

    def close(self) -> None:
        """Ends the judge."""
        if self._judge is not None:
            self._judge.close()

    def __enter__(self) -> Reward:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(
        self,
        completions: Sequence[Text],
        prompts: Sequence[Text] | None = None,
        stages: Sequence[str | None] | None = None,
        *,
        whole_groups: bool = True,
    ) -> list[Score]:
        """A score for each completion, in order.

        Args:
            completions: texts or lists of messages; may repeat their prompt in front.
            prompts: of each completion; equal prompts make a group. ``None``: all are one group.
            stages: of each completion; ``None`` or an empty name for the default.
            whole_groups: whether all completions of a prompt are here, so that they may be ranked.

        Raises:
            JudgeUnreachable: no verdict can be had.
        """
        texts = [prompt_text(prompt) for prompt in prompts] if prompts is not None else [""] * len(completions)
        wanted = stages or [None] * len(completions)
        submissions = [
            Submission(text_of(completion), text, stage or self._stage, group=text)
            for completion, text, stage in zip(completions, texts, wanted, strict=True)
        ]
        verdicts = self.judge.judge(submissions, duel=self._duel and whole_groups)
        self._observe(submissions, verdicts)
        values: list[float | None] = [None] * len(verdicts)
        for places in _groups(submissions).values() if whole_groups else [[at] for at in range(len(verdicts))]:
            for at, value in zip(places, self._shape([verdicts[at] for at in places]), strict=True):
                values[at] = value
        return [Score(value, verdict) for value, verdict in zip(values, verdicts, strict=True)]

    def _observe(self, submissions: Sequence[Submission], verdicts: Sequence[Verdict]) -> None:
        for submission, verdict in zip(submissions, verdicts, strict=True):
            if self.curriculum is not None and not verdict.lost:
                self.curriculum.observe(submission.stage, verdict.ending is Ending.OK)

    # -- TRL ----------------------------------------------------------------------------------------------------------

    def trl_reward(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        log_metric: Any = None,
        trainer_state: Any = None,
        **columns: Any,
    ) -> list[float | None]:
        """A reward function of TRL's ``GRPOTrainer`` and ``RLOOTrainer``; Axolotl and Unsloth call it alike.

        A ``stage`` column names the stage of each row. ``None`` where nothing is known, also when the judge is not
        reachable: TRL then leaves the row out of the group's mean.
        """
        try:
            scores = self.score(completions, prompts, columns.get("stage"))
        except JudgeUnreachable:
            return [None] * len(completions)
        if self.curriculum is not None and trainer_state is not None:
            self.curriculum.at_step(trainer_state.global_step)
        _log_means(log_metric, scores)
        return [score.value for score in scores]

    async def trl_reward_async(
        self, prompts: Sequence[Text], completions: Sequence[Text], log_metric: Any = None, **columns: Any
    ) -> list[float | None]:
        """The same for TRL's event loop, on which asynchronous reward functions run side by side."""
        return await asyncio.to_thread(self.trl_reward, prompts, completions, log_metric, **columns)

    # -- verl ---------------------------------------------------------------------------------------------------------

    def compute_score(
        self, data_source: str, solution_str: str, ground_truth: Any, extra_info: Columns | None = None, **_: Any
    ) -> dict[str, Any]:
        """Verl's custom reward function: ``score`` and the raw values, all of which verl logs.

        ``extra_info["stage"]`` names the stage. Raises ``JudgeUnreachable`` where nothing is known: the ``naive``
        manager then ends the step, ``rate_limited`` scores 0, below every correct kernel in the shape ``unit``.
        """
        score = self._alone(solution_str, "", (extra_info or {}).get("stage"))
        return {"score": score.value, **score.raw(), "ending": score.verdict.ending.value}

    # -- OpenRLHF -----------------------------------------------------------------------------------------------------

    def reward_func(self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
        """OpenRLHF's ``--reward.remote_url file.py``; ``queries`` are prompts plus completions with special tokens.

        A label that is a JSON object with ``stage`` names the stage. ``rewards`` in this reward's shape, ``scores`` in
        0..1 for dynamic filtering. Raises ``JudgeUnreachable`` where nothing is known; the sample then has no reward.
        """
        scores = self.score(queries, prompts, [stage_of(label) for label in labels], whole_groups=False)
        return openrlhf_answer(scores)

    # -- slime --------------------------------------------------------------------------------------------------------

    async def custom_rm(self, args: Any, sample: Any, **_: Any) -> float:
        """Slime's ``--custom-rm-path``; ``sample.metadata["stage"]`` names the stage.

        Raises ``JudgeUnreachable`` where nothing is known; slime then ends the rollout.
        """
        score = await asyncio.to_thread(self._alone, sample.response, _prompt_of(sample), _sample_stage(sample))
        assert score.value is not None
        return score.value

    async def custom_rm_group(self, args: Any, samples: Sequence[Any], **_: Any) -> list[float]:
        """Slime's ``--custom-rm-path`` with ``--group-rm``: all samples of one prompt, which may be ranked."""
        scores = await asyncio.to_thread(
            self.score,
            [sample.response for sample in samples],
            [_prompt_of(sample) for sample in samples],
            [_sample_stage(sample) for sample in samples],
        )
        return [_known(score) for score in scores]

    # -- ms-swift -----------------------------------------------------------------------------------------------------

    def swift_orm(self) -> type:
        """A class for ms-swift: ``orms["kernel"] = reward.swift_orm()`` in the file of ``--external_plugins``.

        Its call takes ``completions`` and the data set's columns, of which ``stage`` and ``messages`` are used. Raises
        ``JudgeUnreachable`` where nothing is known.
        """
        reward = self

        class KernelORM:
            """Rewards kernels; see ``qdkernel.Reward``."""

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                pass

            def __call__(self, completions: Sequence[Text], **columns: Any) -> list[float]:
                scores = reward.score(completions, columns.get("messages"), columns.get("stage"))
                return [_known(score) for score in scores]

        return KernelORM

    def _alone(self, completion: str, prompt: str, stage: str | None) -> Score:
        (score,) = self.score([completion], [prompt], [stage], whole_groups=False)
        _known(score)
        return score


def openrlhf_answer(scores: Sequence[Score]) -> dict[str, Any]:
    """What OpenRLHF expects of a reward function and of a service.

    Raises:
        JudgeUnreachable: nothing is known of a kernel.
    """
    unit = find_shape("unit")
    logs = [score.raw() for score in scores]
    return {
        "rewards": [_known(score) for score in scores],
        "scores": [value for score in scores for value in unit([score.verdict])],
        "extra_logs": {name: [log[name] for log in logs] for name in (logs[0] if logs else {})},
    }


def stage_of(label: Any) -> str:
    """The stage in a label: a JSON object, as a mapping or as text, with the key ``stage``; otherwise none."""
    import json

    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(label)
        except ValueError:
            return ""
    stage = label.get("stage") if isinstance(label, Mapping) else None
    return stage if isinstance(stage, str) else ""


def _known(score: Score) -> float:
    if score.value is None:
        raise JudgeUnreachable(f"nothing is known of a kernel: {score.verdict.detail}")
    return score.value


def _groups(submissions: Sequence[Submission]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for at, submission in enumerate(submissions):
        groups.setdefault(submission.group, []).append(at)
    return groups


def _prompt_of(sample: Any) -> str:
    prompt = getattr(sample, "prompt", "")
    return prompt_text(prompt) if prompt else ""


def _sample_stage(sample: Any) -> str:
    return stage_of(getattr(sample, "metadata", None)) or stage_of(getattr(sample, "label", None))


def _log_means(log_metric: Any, scores: Sequence[Score]) -> None:
    known = [score.raw() for score in scores if score.value is not None]
    if log_metric is None or not known:
        return
    for name in known[0]:
        log_metric(f"kernel/{name}", sum(raw[name] for raw in known) / len(known))
