"""Models in a search: sessions, requests in threads, budget, back-off, evolution of prompts."""

from qdkernel.search.llm.back_off import BackOff
from qdkernel.search.llm.budget import BudgetedCall, TokenBudget, Usage
from qdkernel.search.llm.dispatcher import LLMDispatcher, answer_of
from qdkernel.search.llm.endpoint_status import EndpointStatus
from qdkernel.search.llm.prompt_evolution import PromptEvolution, recorded_lessons
from qdkernel.search.llm.session import LLMSession

__all__ = [
    "BackOff",
    "BudgetedCall",
    "EndpointStatus",
    "LLMDispatcher",
    "LLMSession",
    "PromptEvolution",
    "TokenBudget",
    "Usage",
    "answer_of",
    "recorded_lessons",
]
