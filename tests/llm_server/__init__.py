"""A real OpenAI-compatible server on the loopback interface whose replies are programmed.

For tests, examples and benchmarks: no network and no model is needed, yet client, HTTP, JSON and streams are real.

    with ModelServer(in_turn("first reply", Answer("busy", status=429), "last reply")) as server:
        endpoint = Endpoint(EndpointSpec("scripted", server.base_url, "scripted"))

``python -m tests.llm_server --help`` runs it by hand, also with a person or another program as the model.
"""

from tests.llm_server._answer import Answer, Body, Later, Script
from tests.llm_server._bridge import Bridge
from tests.llm_server._failures import FAILURES
from tests.llm_server._kernels import NUM_KERNELS, kernel_source, kernels
from tests.llm_server._replies import INJECTION, LESSON, ONE_MEGABYTE, REPLIES
from tests.llm_server._requests import asks_for
from tests.llm_server._scripts import SCRIPTS, by_operator, in_turn, transcripts
from tests.llm_server._server import ModelServer, Received

__all__ = [
    "FAILURES",
    "INJECTION",
    "LESSON",
    "NUM_KERNELS",
    "ONE_MEGABYTE",
    "REPLIES",
    "SCRIPTS",
    "Answer",
    "Body",
    "Bridge",
    "Later",
    "ModelServer",
    "Received",
    "Script",
    "asks_for",
    "by_operator",
    "in_turn",
    "kernel_source",
    "kernels",
    "transcripts",
]
