"""The sections on language models: the endpoints, and how the run uses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from qdkernel.config.section import PositiveFloat, PositiveInt, Price, Section, Word, mistake, repeated
from qdkernel.llm import EndpointSpec, is_loopback

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_VARIABLE = 64
# Openings of the keys that providers hand out; the first is that of most servers compatible with OpenAI's.
_KEY_OPENINGS = ("sk-", "sk_", "gsk_", "hf_", "xai-", "nvapi-", "AIza", "ghp_", "github_pat_")
_LONGEST_LOWER_CASE = 20  # a name of lower-case letters and digits longer than this is a token, not a name

_OWN_KEYS = frozenset({"max_tokens", "messages", "model", "stream", "temperature"})
_SECRETS = frozenset({"api_key", "apikey", "api-key", "authorization", "extra_headers", "password", "secret", "token"})


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # a port that is no number, a bracket left open
        host, parts = None, urlsplit("")
    if host and ("@" in parts.netloc or parts.query or parts.fragment):
        # not quoted: what stands there may be a secret
        raise mistake(
            f"expected a URL without user, password, query or fragment, got one of {host} that has them; "
            "put the key into an environment variable and its name into api_key_env"
        )
    if not host or parts.scheme not in ("http", "https"):
        raise mistake(f"expected an http or https URL, e.g. http://localhost:8000/v1, got {url.split('@')[-1]!r}")
    return url


def _check_variable(name: str) -> str:
    looks_like_key = (
        not _VARIABLE.fullmatch(name)
        or len(name) > _LONGEST_VARIABLE
        or name.startswith(_KEY_OPENINGS)
        or (len(name) > _LONGEST_LOWER_CASE and re.search("[a-z]", name) and re.search("[0-9]", name))
    )
    if looks_like_key:
        # never quoted: messages end up in logs
        raise mistake(
            "expected the name of an environment variable, e.g. OPENAI_API_KEY, got a text that looks like a key "
            "itself; put the key into a variable and its name here, for this file is copied into the run folder"
        )
    return name


def _check_extra(extra: Mapping[str, Any]) -> Mapping[str, Any]:  # Any: JSON
    for key in extra:
        if key.lower() in _SECRETS:
            raise mistake(
                f"expected no secrets, got the key {key!r}: this file is copied into the run folder; put the key into "
                "an environment variable and its name into api_key_env"
            )
        if key in _OWN_KEYS:
            raise mistake(f"expected fields that have no key of their own here, got {key!r}; remove it")
    return extra


class PriceConfig(Section):
    """What a model costs, for the budget and the report; 0 for a server of one's own."""

    input: Price = Field(default=0.0, description="US dollars per million tokens sent.")
    output: Price = Field(default=0.0, description="US dollars per million tokens received, hidden reasoning included.")


class ModelConfig(Section):
    """A language model behind an OpenAI-compatible endpoint (Chat Completions)."""

    model: Word = Field(description="The model's id on its server.")
    name: str = Field(default="", description="What the run calls it; left out, the model's id. Unique.")
    base_url: Annotated[Word, AfterValidator(_check_url)] = Field(
        description="Where the API begins, usually up to /v1, e.g. http://localhost:8000/v1."
    )
    api_key_env: Annotated[Word, AfterValidator(_check_variable)] | None = Field(
        default=None,
        description="Name of the environment variable that holds the key; null for none. The key itself is never "
        "stored.",
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=0.8,
        description="Sampling temperature; 0.8 for variety at sound syntax, null where the model refuses one.",
    )
    max_tokens: PositiveInt = Field(
        default=EndpointSpec.max_tokens,
        description="Longest reply in tokens; a packed kernel with its reasons takes about 3000. A server that permits "
        "less is asked for less. With llm.prompt_tokens it gives the context that the server needs: 16384 tokens.",
    )
    parallel: PositiveInt = Field(
        default=EndpointSpec.parallel, description="Requests at once; local servers batch about 4 without loss."
    )
    timeout_s: PositiveFloat = Field(
        default=EndpointSpec.timeout_s,
        description="Seconds for one request; 8192 tokens take that long at 70 tokens a second.",
    )
    stream: bool = Field(
        default=EndpointSpec.stream,
        description="Whether replies are streamed; for proxies that cut connections which stay silent.",
    )
    price: PriceConfig = Field(default=PriceConfig(), description="What it costs, in US dollars per million tokens.")
    weight: PositiveFloat = Field(
        default=1.0, description="Share of the requests relative to the other models, until results are in."
    )
    key_over_http: bool = Field(
        default=EndpointSpec.key_over_http,
        description="Whether the key may go over plain http to another machine, readable on the way; "
        "never needed for this machine.",
    )
    extra: Annotated[Mapping[str, Any], AfterValidator(_check_extra)] = Field(  # Any: JSON
        default={}, description="Further fields of every request, as JSON, e.g. {top_p: 0.95}; never a key."
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:  # Any: whatever the file holds
        """The model's id where the name is left out."""
        if isinstance(data, dict) and not data.get("name") and isinstance(data.get("model"), str):
            return {**data, "name": data["model"]}
        return data

    @model_validator(mode="after")
    def _key_is_safe(self) -> Self:
        parts = urlsplit(self.base_url)
        if (
            self.api_key_env
            and parts.scheme == "http"
            and not (self.key_over_http or is_loopback(parts.hostname or ""))
        ):
            raise mistake(
                f"base_url: expected https, as the key would cross the network to {parts.hostname} unencrypted; use "
                "https, or set key_over_http: true where you trust every machine on the way"
            )
        return self


def _names_once(models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
    if twice := repeated(model.name for model in models):
        raise mistake(f"expected each model by a name of its own, got {twice} more than once; set name")
    return models


Models = Annotated[tuple[ModelConfig, ...], AfterValidator(_names_once)] | Literal["environment"]
"""The models of a run; ``environment`` until ``resolve_models`` has looked there."""


class LlmConfig(Section):
    """How the run uses its models."""

    repairs: Annotated[int, Field(ge=0, le=5)] = Field(
        default=2, description="Turns to mend a kernel that failed; a third seldom succeeds."
    )
    resamples: Annotated[int, Field(ge=0, le=3)] = Field(
        default=1, description="Times an unreadable reply, or an edit that misses, is asked for again."
    )
    programmers: Annotated[int, Field(ge=1, le=8)] = Field(
        default=3, description="Strategies of a plan, each carried out in a conversation of its own."
    )
    reflect_every: PositiveInt | None = Field(
        default=60, description="Evaluations after which a model writes down what the run has taught; null for never."
    )
    revise_every: PositiveInt | None = Field(
        default=40, description="Evaluations after which a model rewrites a section of the prompt; null for never."
    )
    rest_after: PositiveInt = Field(
        default=3,
        description="Failures in a row, unreadable replies included, that send a model to rest; the run goes on "
        "without it.",
    )
    rest_s: PositiveFloat = Field(default=60.0, description="Seconds of its first rest; each further one is longer.")
    sweep: Annotated[int, Field(ge=0)] = Field(
        default=4,
        description="Other values of its tunable constants tried when a model's kernel takes a cell; 0 for none.",
    )
    skills: Annotated[int, Field(ge=0, le=5)] = Field(
        default=2, description="Techniques of the skills library shown in a prompt; two cost about 400 tokens."
    )
    skill_folders: tuple[Path, ...] = Field(
        default=(), description="Folders of skills (*.md) beside those that come with qdkernel; see qdkernel skills."
    )
    prompt_tokens: Annotated[int, Field(ge=1000)] = Field(
        default=6000, description="Longest prompt in tokens, by estimate; what matters least is left out to fit."
    )
