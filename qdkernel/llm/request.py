"""An endpoint as configured, and the request that its server understands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qdkernel.llm.chat import Message
from qdkernel.llm.context import permitted_tokens
from qdkernel.llm.failures import Failure

_NO_SYSTEM = re.compile(
    r"system\W*\s*(?:role|prompt|message|instruction)|(?:role|message)s?\b.{0,60}\bsystem\b|"
    r"\bsystem\b.{0,40}\brole\b|"
    r"developer instruction|roles must alternate|only (?:the )?user\b.{0,20}\bassistant|unexpected role",
    re.I | re.S,
)


@dataclass(frozen=True)
class EndpointSpec:
    """A model behind an OpenAI-compatible endpoint; plain data from a configuration.

    Attributes:
        name: what the run calls it.
        base_url: where the API begins, usually up to ``/v1``; without user, password or query.
        model: the model's id on its server.
        api_key_env: the environment variable that holds the key; ``None`` for a server that needs none.
        temperature: sampling temperature; ``None`` not to send one.
        max_tokens: longest reply.
        parallel: requests at once; kept by the caller.
        timeout_s: for one request, from connecting to the last byte.
        stream: whether replies are streamed.
        attempts: requests for one reply at most, the first included; not counting those that only find out which
            fields the server accepts.
        input_price: US dollars per million tokens sent.
        output_price: US dollars per million tokens received.
        extra: further fields of the request's JSON, e.g. ``{"top_k": 20}``.
        key_over_http: whether the key may go over plain http to another machine.
    """

    name: str
    base_url: str
    model: str
    api_key_env: str | None = None
    temperature: float | None = None
    max_tokens: int = 8192
    parallel: int = 4
    timeout_s: float = 120.0
    stream: bool = False
    attempts: int = 4
    input_price: float = 0.0
    output_price: float = 0.0
    extra: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    key_over_http: bool = False


@dataclass(frozen=True)
class Dialect:
    """What a server accepts; at first what vLLM, llama.cpp and Ollama accept.

    Attributes:
        token_field: ``max_tokens``, or ``max_completion_tokens`` as OpenAI's reasoning models require.
        temperature: whether a temperature may be sent; the same models refuse one.
        stream_options: whether a stream can be asked for its token counts.
        system_role: whether a message may have the system's role; else its text begins the user's first message.
        max_tokens: longest reply that the server permits; ``None`` for the configured one.
    """

    token_field: str = "max_tokens"
    temperature: bool = True
    stream_options: bool = True
    system_role: bool = True
    max_tokens: int | None = None


def request_fields(spec: EndpointSpec, dialect: Dialect) -> dict[str, Any]:  # Any: JSON
    """The request's JSON beside model and messages."""
    fields: dict[str, Any] = {dialect.token_field: dialect.max_tokens or spec.max_tokens}
    if spec.temperature is not None and dialect.temperature:
        fields["temperature"] = spec.temperature
    if spec.stream:
        fields["stream"] = True
        if dialect.stream_options:
            fields["stream_options"] = {"include_usage": True}
    return {**fields, **spec.extra}


def request_messages(messages: Sequence[Message], dialect: Dialect) -> list[dict[str, str]]:
    """The request's messages; where the server has no system role, its text is put before the user's first turn."""
    if not dialect.system_role:
        system = [message.content for message in messages if message.role == "system"]
        rest = [message for message in messages if message.role != "system"]
        first = Message("user", "\n\n".join([*system, *(m.content for m in rest[:1] if m.role == "user")]))
        messages = (first, *(rest[1:] if rest and rest[0].role == "user" else rest))
    # Half a surrogate pair, which source files of odd encodings leave behind, cannot be sent.
    return [{"role": m.role, "content": m.content.encode("utf-8", "replace").decode()} for m in messages]


def adapted(
    dialect: Dialect, fields: Mapping[str, Any], messages: Sequence[Mapping[str, str]], failure: Failure
) -> tuple[Dialect, str] | None:
    """The dialect that avoids what a server has just refused, and what to tell of it; ``None`` for other failures.

    OpenAI names the field in ``param``, other servers only in their message, so that is searched for the name.

    Args:
        dialect: the endpoint's present one.
        fields: what was sent; another thread may have changed the dialect since.
        messages: what was sent.
        failure: of that request.
    """
    if failure.status < 400:
        return None
    said = f"{failure.param} {failure.said}".lower()
    sent = int(fields.get("max_tokens") or fields.get("max_completion_tokens") or 0)
    permitted = None
    if failure.code != "unsupported_parameter":
        permitted = permitted_tokens(said, sent, sum(len(message["content"]) for message in messages))
    if permitted is not None:
        limit = min(permitted, dialect.max_tokens or permitted)
        return replace(dialect, max_tokens=limit), f"max_tokens is lowered from {sent:,} to {limit:,} for this model"
    if messages[0]["role"] == "system" and _NO_SYSTEM.search(said):
        told = "the server knows no system role, so its text now begins the user's message"
        return replace(dialect, system_role=False), told
    if failure.status not in (400, 422):
        return None
    if "max_tokens" in fields and "max_tokens" in said and _unknown(failure):
        return replace(dialect, token_field="max_completion_tokens"), ""
    if "stream_options" in fields and "stream_options" in said:
        return replace(dialect, stream_options=False), ""
    if "temperature" in fields and "temperature" in said:
        return replace(dialect, temperature=False), ""
    return None


def _unknown(failure: Failure) -> bool:
    """Whether the field is refused, not its value."""
    said = failure.said.lower()
    return failure.code == "unsupported_parameter" or any(
        words in said for words in ("max_completion_tokens", "unsupported", "not supported", "extra inputs")
    )
