"""Transport to a language model: requests, responses, failures, keys. Contains nothing about kernels."""

from qdkernel.llm.chat import Ask, CallFailed, Completion, FailureKind, Message
from qdkernel.llm.endpoint import Endpoint
from qdkernel.llm.request import EndpointSpec
from qdkernel.llm.text import LONGEST_REPLY, clean_line, clean_text, readable

__all__ = [
    "LONGEST_REPLY",
    "Ask",
    "CallFailed",
    "Completion",
    "Endpoint",
    "EndpointSpec",
    "FailureKind",
    "Message",
    "clean_line",
    "clean_text",
    "readable",
]
