"""Models in a search: sessions, requests in threads, budget, back-off, evolution of prompts."""

from qdkernel.search.llm.budget import TokenBudget, Usage
from qdkernel.search.llm.dispatcher import LLMDispatcher, answer_of
from qdkernel.search.llm.prompt_evolution import PromptEvolution, recorded_lessons
from qdkernel.search.llm.session import LLMSession

__all__ = [
    "LLMDispatcher",
    "LLMSession",
    "PromptEvolution",
    "TokenBudget",
    "Usage",
    "answer_of",
    "recorded_lessons",
]
