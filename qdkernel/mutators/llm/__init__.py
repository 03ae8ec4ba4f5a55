"""Operators that ask a language model: assignments, conversations, prompts, replies."""

from qdkernel.mutators.llm.assignment import Assignment, Ending, Expect, Strategy
from qdkernel.mutators.llm.converse import converse

__all__ = [
    "Assignment",
    "Ending",
    "Expect",
    "Strategy",
    "converse",
]
