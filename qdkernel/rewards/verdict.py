"""What is judged and what is found: a completion of a model, and the facts that every reward is computed from."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from qdkernel.core import Evaluation, Problem, cell_name, geometric_mean


class Ending(enum.StrEnum):
    """How judging a completion ended: an outcome of ``qdkernel.core.Outcome``, or ``no_kernel``; closed."""

    NO_KERNEL = "no_kernel"
    """The completion holds no kernel that defines the problem's function."""
    OK = "ok"
    """Verified, timed, plausible, and inside its stage."""
    POLICY_VIOLATION = "policy_violation"
    """Source or object breaks the policy."""
    COMPILE_ERROR = "compile_error"
    """Does not compile."""
    CRASHED = "crashed"
    """The contained child died."""
    TIMEOUT = "timeout"
    """A step passed its deadline."""
    OUTSIDE_STAGE = "outside_stage"
    """Uses a technique that the stage does not permit, or lacks one that it requires, by measurement."""
    WRONG = "wrong"
    """A result outside the error bound."""
    RACE = "race"
    """Two of its threads race, though its results were right."""
    IMPLAUSIBLE = "implausible"
    """Faster than the machine's measured peaks allow."""
    LOST = "lost"
    """Says nothing about the kernel: the evaluator was killed, or the machine too busy to time it."""


@dataclass(frozen=True)
class Submission:
    """A completion to judge.

    Attributes:
        completion: the model's text, thinking and fences included.
        prompt: the prompt's text, cut off where the completion repeats it in front; empty when it does not.
        stage: name of a stage of the configuration whose techniques are enforced; empty for none.
        group: completions of one prompt share it; only ranks and duels look at it.
    """

    completion: str
    prompt: str = ""
    stage: str = ""
    group: str = ""


@dataclass(frozen=True)
class Verdict:
    """The raw values beside a reward.

    Attributes:
        ending: how judging ended.
        detail: text that a person or a model can act on; empty when there is nothing to add.
        kernel_id: SHA-256 of the kernel's source; empty without a kernel.
        duplicate_of: an earlier kernel that has the same code, whose measurement this is; empty for its own.
        cell: measured behaviour, e.g. ``packed/512/static/none``; empty when it was not measured.
        stage: the stage that was enforced; empty for none.
        gflops: GFLOP/s, geometric mean over the scored sizes; ``None`` unless ``ending`` is ``ok``.
        ratio: baseline time / kernel time, geometric mean over the scored sizes; above 1 the kernel is faster.
        ratio_low: lower end of the ratio's 95 % interval.
        ratio_high: upper end.
        share: of the measured peak (GFLOP/s), for bandwidth-bound problems of the measured triad (GB/s).
        cell_rank: share of the kernels judged before in the same cell that are slower; ``None`` for the first.
        relative: speed relative to the fastest of its group by interleaved duels, at most 1; ``None`` without duels.
        tied: whether the duel against the fastest of the group did not tell the two apart.
        seconds: what the evaluation took, waiting included; 0 when an earlier one was used.
    """

    ending: Ending
    detail: str = ""
    kernel_id: str = ""
    duplicate_of: str = ""
    cell: str = ""
    stage: str = ""
    gflops: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    share: float | None = None
    cell_rank: float | None = None
    relative: float | None = None
    tied: bool = False
    seconds: float = 0.0

    @property
    def lost(self) -> bool:
        """Whether nothing is known of the kernel."""
        return self.ending is Ending.LOST

    @property
    def feedback(self) -> str:
        """How judging ended, and the speed or what was wrong, for a model's next turn."""
        if self.gflops is None:
            return f"{self.ending.value}: {self.detail}"
        speed = f"{self.gflops:.2f} GFLOP/s, {self.ratio or 0.0:.3f} times the baseline"
        return f"ok: {speed}, behaves as {self.cell}"

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Its fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:  # Any: JSON
        """The verdict that ``to_json`` gave; fields of a newer version are ignored.

        Raises:
            ValueError: ``ending`` is missing or none of ``Ending``.
        """
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        return cls(**{**values, "ending": Ending(str(data.get("ending")))})


def verdict_of(
    evaluation: Evaluation, problem: Problem, peak_gflops: float, triad_gbytes_per_s: float, stage: str = ""
) -> Verdict:
    """The verdict of an evaluation that is not a duplicate.

    Args:
        evaluation: of the kernel, or of the one it equals.
        problem: what is computed.
        peak_gflops: measured peak with the scored threads.
        triad_gbytes_per_s: measured triad with the scored threads.
        stage: the stage that was enforced.
    """
    ending = Ending(evaluation.outcome.value)
    cell = "" if evaluation.cell is None else cell_name(evaluation.cell)
    seconds = sum(s for step, s in evaluation.step_s.items() if step != "kernels")
    plain = Verdict(ending, evaluation.detail, evaluation.kernel_id, cell=cell, stage=stage, seconds=seconds)
    score = evaluation.score
    if score is None:
        return plain
    timings = score.timings
    if problem.bandwidth_bound:
        share = geometric_mean([timing.gbytes_per_s for timing in timings]) / triad_gbytes_per_s
    else:
        share = score.objective / peak_gflops
    return Verdict(
        ending,
        evaluation.detail,
        evaluation.kernel_id,
        cell=cell,
        stage=stage,
        gflops=score.objective,
        ratio=geometric_mean([timing.ratio for timing in timings]),
        ratio_low=geometric_mean([timing.ratio_low for timing in timings]),
        ratio_high=geometric_mean([timing.ratio_high for timing in timings]),
        share=share,
        seconds=seconds,
    )
