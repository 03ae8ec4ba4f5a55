"""Transport to a language model: requests, responses, failures, keys. Contains nothing about kernels."""

from qdkernel.llm.chat import Ask, CallFailed, CallObserver, Completion, FailureKind, Message, TokenUsage
from qdkernel.llm.endpoint import Endpoint
from qdkernel.llm.network import is_loopback
from qdkernel.llm.request import EndpointSpec
from qdkernel.llm.text import LONGEST_REPLY, clean_line, clean_text, readable

__all__ = [
    "LONGEST_REPLY",
    "Ask",
    "CallFailed",
    "CallObserver",
    "Completion",
    "Endpoint",
    "EndpointSpec",
    "FailureKind",
    "Message",
    "TokenUsage",
    "clean_line",
    "clean_text",
    "is_loopback",
    "readable",
]
