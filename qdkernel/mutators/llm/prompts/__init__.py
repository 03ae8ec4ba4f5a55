"""Prompts: composition, facts, length, sections."""

from qdkernel.mutators.llm.prompts.agent_task import agent_task
from qdkernel.mutators.llm.prompts.budget import estimate_tokens, fenced
from qdkernel.mutators.llm.prompts.compose import compose_next, compose_program
from qdkernel.mutators.llm.prompts.operators import MODEL_OPERATORS, ModelOperator, compose
from qdkernel.mutators.llm.prompts.pool import PromptPool
from qdkernel.mutators.llm.prompts.reflection import LogLine, compose_reflect, compose_revise, log_line
from qdkernel.mutators.llm.prompts.repair import compose_repair
from qdkernel.mutators.llm.prompts.target import parse_target_cell

__all__ = [
    "MODEL_OPERATORS",
    "LogLine",
    "ModelOperator",
    "PromptPool",
    "agent_task",
    "compose",
    "compose_next",
    "compose_program",
    "compose_reflect",
    "compose_repair",
    "compose_revise",
    "estimate_tokens",
    "fenced",
    "log_line",
    "parse_target_cell",
]
