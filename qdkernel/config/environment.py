"""``models: environment``: one model described by environment variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from qdkernel.config.llm import ModelConfig, PriceConfig
from qdkernel.config.model import Config
from qdkernel.config.section import OWN_ERROR
from qdkernel.errors import ConfigError

OPENAI_URL = "https://api.openai.com/v1"

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_KEYS = ("QDKERNEL_API_KEY", "OPENAI_API_KEY")
_HOW = "it takes QDKERNEL_BASE_URL, QDKERNEL_MODEL and QDKERNEL_API_KEY (the key is optional for a local server)"

_Number = TypeVar("_Number", int, float)


def resolve_models(config: Config, environ: Mapping[str, str]) -> Config:
    """The configuration with ``models: environment`` replaced by what the environment describes; others unchanged.

    QDKERNEL_MODEL names the model. Its URL is QDKERNEL_BASE_URL or OPENAI_BASE_URL, else that of OpenAI when there is
    a key; the key's variable is QDKERNEL_API_KEY or OPENAI_API_KEY. QDKERNEL_PARALLEL, QDKERNEL_PRICE_INPUT and
    QDKERNEL_PRICE_OUTPUT are optional. Without a variable of QDKERNEL_MODEL, QDKERNEL_BASE_URL and QDKERNEL_API_KEY
    there is no model: variables of OpenAI's alone are meant for other programs.

    Args:
        config: as loaded.
        environ: environment variables; empty ones count as not set.

    Raises:
        ConfigError: a model that is only half described, or a value that does not fit.
    """
    if config.models != "environment":
        return config
    given = {name: value for name, value in environ.items() if value.strip()}
    asked = [name for name in ("QDKERNEL_BASE_URL", "QDKERNEL_MODEL", "QDKERNEL_API_KEY") if name in given]
    models = (_model(given, asked),) if asked else ()
    return config.model_copy(update={"models": models})


def _model(given: Mapping[str, str], asked: Sequence[str]) -> ModelConfig:
    if "QDKERNEL_MODEL" not in given:
        verb = "are" if len(asked) > 1 else "is"
        raise ConfigError(
            f"models: environment: QDKERNEL_MODEL is missing, though {' and '.join(asked)} {verb} set; {_HOW}"
        )
    key = next((name for name in _KEYS if name in given), None)
    url = given.get("QDKERNEL_BASE_URL") or given.get("OPENAI_BASE_URL") or (OPENAI_URL if key else None)
    if url is None:
        raise ConfigError(
            f"models: environment: QDKERNEL_BASE_URL is missing, though QDKERNEL_MODEL is set; {_HOW}; with a key "
            f"alone the URL is {OPENAI_URL}"
        )
    price = PriceConfig(
        input=_number(given, "QDKERNEL_PRICE_INPUT", float, 0.0, "US dollars per million tokens"),
        output=_number(given, "QDKERNEL_PRICE_OUTPUT", float, 0.0, "US dollars per million tokens"),
    )
    parallel = _number(
        given, "QDKERNEL_PARALLEL", int, ModelConfig.model_fields["parallel"].default, "requests at once"
    )
    try:
        model = ModelConfig(
            model=given["QDKERNEL_MODEL"].strip(),
            base_url=url.strip(),
            api_key_env=key,
            parallel=parallel,
            price=price,
        )
    except ValidationError as error:
        raise ConfigError("\n".join(_complaint(error, given))) from None
    if key is None and urlsplit(model.base_url).hostname not in _LOCAL:
        raise ConfigError(
            f"models: environment: QDKERNEL_API_KEY is missing, though {urlsplit(model.base_url).hostname} is not this "
            "machine; set it, to any word if the server wants none"
        )
    return model


def _number(
    given: Mapping[str, str], name: str, kind: Callable[[str], _Number], default: _Number, what: str
) -> _Number:
    if name not in given:
        return default
    try:
        value = kind(given[name])
    except ValueError:
        value = kind("-1")
    least = 1 if kind is int else 0
    if not least <= value < float("inf"):
        wanted = "a whole number > 0" if kind is int else "a number >= 0"
        raise ConfigError(f"{name}: expected {wanted} ({what}), got {given[name]!r}")
    return value


def _complaint(error: ValidationError, given: Mapping[str, str]) -> list[str]:
    """A line per mistake; only the URL can be wrong by now, and its own validator says how without quoting secrets."""
    variable = "QDKERNEL_BASE_URL" if "QDKERNEL_BASE_URL" in given else "OPENAI_BASE_URL"
    return [
        f"{variable}: {one['ctx']['text'] if one['type'] == OWN_ERROR else one['msg']}"
        for one in error.errors(include_url=False)
    ]
