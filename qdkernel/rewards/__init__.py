"""Rewards for trainers of code models: verdicts, shapes, the judge here or behind HTTP, one callable per trainer."""

from qdkernel.rewards.completion import kernel_in
from qdkernel.rewards.curriculum import Curriculum
from qdkernel.rewards.judge import Judge, JudgeUnreachable, LocalJudge
from qdkernel.rewards.measuring import JudgeClosed, Measuring
from qdkernel.rewards.prompts import prompt_rows
from qdkernel.rewards.remote import TOKEN_VARIABLE, RemoteJudge
from qdkernel.rewards.reward import Reward, Score, openrlhf_answer, stage_of
from qdkernel.rewards.shapes import SHAPES, find_shape
from qdkernel.rewards.trl_spec import KernelEnvironment, TRLSpec
from qdkernel.rewards.verdict import Ending, Submission, Verdict

__all__ = [
    "SHAPES",
    "TOKEN_VARIABLE",
    "Curriculum",
    "Ending",
    "Judge",
    "JudgeClosed",
    "JudgeUnreachable",
    "KernelEnvironment",
    "LocalJudge",
    "Measuring",
    "RemoteJudge",
    "Reward",
    "Score",
    "Submission",
    "TRLSpec",
    "Verdict",
    "find_shape",
    "kernel_in",
    "openrlhf_answer",
    "prompt_rows",
    "stage_of",
]
