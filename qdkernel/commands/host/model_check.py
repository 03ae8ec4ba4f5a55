"""Tries a model with the prompt that a run would begin with, and reports the result in one line."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from qdkernel.commands.search.prompt import first_assignment
from qdkernel.config import Config, ModelConfig
from qdkernel.llm import CallFailed, CallObserver, Completion, Endpoint, Message, clean_line
from qdkernel.mutators.llm import Ending, converse
from qdkernel.mutators.llm.prompts import estimate_tokens
from qdkernel.search import endpoint_spec

_QUOTED = 140  # characters of a reply that are shown when nothing can be read from it


class _Notices(CallObserver):
    """Keeps what was noticed about the server."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def noticed(self, text: str) -> None:
        """Keeps it."""
        self.texts.append(text)


def try_model(model: ModelConfig, config: Config) -> str:
    """Whether the model answers a prompt of this configuration with a kernel; costs one request.

    Args:
        model: of the configuration.
        config: decides what the prompt asks for.

    Returns:
        One printable line, with the server's own words where it failed.

    Raises:
        ConfigError: key, URL, proxy or certificates cannot be used.
    """
    assignment = first_assignment(config)
    tokens = sum(estimate_tokens(message.content) for message in assignment.messages)
    notices, came = _Notices(), Completion("")

    with closing(Endpoint(replace(endpoint_spec(model), attempts=1))) as endpoint:

        def ask(messages: tuple[Message, ...]) -> Completion:
            nonlocal came
            came = endpoint.complete(messages, notices)
            return came

        listed, start = endpoint.listed(), time.monotonic()
        try:
            ending = converse(assignment, ask, config.problem, resamples=0)
            found = f"answers a prompt of about {tokens:,} tokens after {time.monotonic() - start:.1f} s with "
            found += f"{_what(ending)} ({_counted(came)})"
        except CallFailed as failure:
            found = f"no answer to a prompt of about {tokens:,} tokens: {failure.kind}: {failure}"
    return "; ".join([found, listed, *notices.texts])


def _what(ending: Ending) -> str:
    if ending.proposal is not None:
        return f"a kernel of {len(ending.proposal.kernel.source):,} characters"
    said = next((message.content for message in reversed(ending.messages) if message.role == "assistant"), "")
    return f"no kernel: {ending.reason}; the reply begins: {clean_line(said, _QUOTED)}"


def _counted(completion: Completion) -> str:
    counted = f"{completion.prompt_tokens:,} tokens in, {completion.completion_tokens:,} out"
    return counted + (f", {completion.estimated_tokens:,} of them estimated" if completion.estimated_tokens else "")
