"""An endpoint as configured, and the request that its server understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qdkernel.llm.failures import Failure


@dataclass(frozen=True)
class EndpointSpec:
    """A model behind an OpenAI-compatible endpoint; plain data from a configuration.

    Attributes:
        name: what the run calls it.
        base_url: where the API begins, usually up to ``/v1``; without user, password or query.
        model: the model's id, as its server knows it.
        api_key_env: the environment variable that holds the key; ``None`` for a server that wants none.
        temperature: sampling temperature; ``None`` not to send one.
        max_tokens: longest reply.
        parallel: requests at once; kept by the caller.
        timeout_s: for one request, from connecting to the last byte.
        stream: whether replies are streamed.
        attempts: requests for one reply at most, the first included; not counting those that only find out which
            fields the server knows.
        input_price: US dollars per million tokens sent.
        output_price: US dollars per million tokens received.
        extra: further fields of the request's JSON, e.g. ``{"top_k": 20}``.
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


@dataclass(frozen=True)
class Dialect:
    """Which fields a server knows; at first those that vLLM, llama.cpp and Ollama know.

    Attributes:
        token_field: ``max_tokens``, or ``max_completion_tokens`` as OpenAI's reasoning models want it.
        temperature: whether a temperature may be sent; the same models refuse one.
        stream_options: whether a stream can be asked for its token counts.
    """

    token_field: str = "max_tokens"
    temperature: bool = True
    stream_options: bool = True


def request_fields(spec: EndpointSpec, dialect: Dialect) -> dict[str, Any]:  # Any: JSON
    """The request's JSON beside model and messages."""
    fields: dict[str, Any] = {dialect.token_field: spec.max_tokens}
    if spec.temperature is not None and dialect.temperature:
        fields["temperature"] = spec.temperature
    if spec.stream:
        fields["stream"] = True
        if dialect.stream_options:
            fields["stream_options"] = {"include_usage": True}
    return {**fields, **spec.extra}


def without_refused(dialect: Dialect, fields: Mapping[str, Any], failure: Failure) -> Dialect | None:
    """The dialect without the field that a server has just refused; ``None`` when it refused something else.

    OpenAI names the field in ``param``, other servers only in their message, so that is searched for the name.

    Args:
        dialect: the endpoint's present one.
        fields: what was sent; another thread may have changed the dialect since.
        failure: of that request.
    """
    if failure.status not in (400, 422):
        return None
    said = f"{failure.param} {failure.said}".lower()
    if "max_tokens" in fields and "max_tokens" in said and _unknown(failure):
        return replace(dialect, token_field="max_completion_tokens")
    if "stream_options" in fields and "stream_options" in said:
        return replace(dialect, stream_options=False)
    if "temperature" in fields and "temperature" in said:
        return replace(dialect, temperature=False)
    return None


def _unknown(failure: Failure) -> bool:
    """Whether the field is refused, not its value: a limit above the model's context is the user's to lower."""
    said = failure.said.lower()
    return failure.code == "unsupported_parameter" or any(
        words in said for words in ("max_completion_tokens", "unsupported", "not supported", "extra inputs")
    )
