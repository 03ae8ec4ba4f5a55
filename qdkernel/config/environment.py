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
from qdkernel.llm import is_loopback

OPENAI_URL = "https://api.openai.com/v1"

_KEYS = ("QDKERNEL_API_KEY", "OPENAI_API_KEY")
_HOW = "it takes QDKERNEL_BASE_URL, QDKERNEL_MODEL and QDKERNEL_API_KEY (the key is optional for a local server)"

_Number = TypeVar("_Number", int, float)


def resolve_models(config: Config, environ: Mapping[str, str]) -> Config:
    """The configuration with ``models: environment`` replaced by what the environment describes; others unchanged.

    QDKERNEL_MODEL names the model. Its URL is QDKERNEL_BASE_URL or OPENAI_BASE_URL, else that of OpenAI when there is
    a key; the key's variable is QDKERNEL_API_KEY or OPENAI_API_KEY. QDKERNEL_MAX_TOKENS, QDKERNEL_TIMEOUT_S,
    QDKERNEL_PARALLEL, QDKERNEL_PRICE_INPUT and QDKERNEL_PRICE_OUTPUT are optional, and so is QDKERNEL_KEY_OVER_HTTP=1,
    without which no key goes over plain http to another machine.

    Without a variable of QDKERNEL_MODEL, QDKERNEL_BASE_URL and QDKERNEL_API_KEY there is no model: variables of
    OpenAI's alone are meant for other programs.

    Args:
        config: as loaded.
        environ: environment variables; empty ones count as not set.

    Raises:
        ConfigError: a model that is only half described, or a value that does not fit.
    """
    if config.models != "environment":
        return config
    return config.model_copy(update={"models": environment_models(environ)})


def environment_models(environ: Mapping[str, str]) -> tuple[ModelConfig, ...]:
    """The model that environment variables describe, as ``resolve_models`` reads them, or none.

    Raises:
        ConfigError: a model that is only half described, or a value that does not fit.
    """
    given = {name: value for name, value in environ.items() if value.strip()}
    asked = [name for name in ("QDKERNEL_BASE_URL", "QDKERNEL_MODEL", "QDKERNEL_API_KEY") if name in given]
    return (_model(given, asked),) if asked else ()


def _model(given: Mapping[str, str], asked: Sequence[str]) -> ModelConfig:
    if "QDKERNEL_MODEL" not in given:
        verb = "are" if len(asked) > 1 else "is"
        raise ConfigError(
            f"models: environment: QDKERNEL_MODEL is missing, though {' and '.join(asked)} {verb} set; {_HOW}"
        )
    key = next((name for name in _KEYS if name in given), None)
    over_http = given.get("QDKERNEL_KEY_OVER_HTTP", "").strip() == "1"
    url = given.get("QDKERNEL_BASE_URL") or given.get("OPENAI_BASE_URL") or (OPENAI_URL if key else None)
    if url is None:
        raise ConfigError(
            f"models: environment: QDKERNEL_BASE_URL is missing, though QDKERNEL_MODEL is set; {_HOW}; with a key "
            f"alone the URL is {OPENAI_URL}"
        )
    if key and not over_http and _is_plain_remote(url):
        if key == "QDKERNEL_API_KEY":
            raise ConfigError(
                f"models: environment: expected https, as QDKERNEL_API_KEY would cross the network to {_host(url)} "
                "unencrypted; use https, unset the key if the server needs none, or set QDKERNEL_KEY_OVER_HTTP=1 where "
                "you trust every machine on the way"
            )
        key = None  # a key for other programs, which this server was never meant to get
    price = PriceConfig(
        input=_number(given, "QDKERNEL_PRICE_INPUT", float, 0.0, "US dollars per million tokens"),
        output=_number(given, "QDKERNEL_PRICE_OUTPUT", float, 0.0, "US dollars per million tokens"),
    )
    defaults = {name: field.default for name, field in ModelConfig.model_fields.items()}
    try:
        model = ModelConfig(
            model=given["QDKERNEL_MODEL"].strip(),
            base_url=url.strip(),
            api_key_env=key,
            parallel=_number(given, "QDKERNEL_PARALLEL", int, defaults["parallel"], "requests at once"),
            max_tokens=_number(given, "QDKERNEL_MAX_TOKENS", int, defaults["max_tokens"], "longest reply in tokens"),
            timeout_s=_number(given, "QDKERNEL_TIMEOUT_S", float, defaults["timeout_s"], "seconds for one request", 1),
            key_over_http=over_http,
            price=price,
        )
    except ValidationError as error:
        raise ConfigError("\n".join(_complaint(error, given))) from None
    if key is None and not is_loopback(_host(model.base_url)) and not _is_plain_remote(model.base_url):
        raise ConfigError(
            f"models: environment: QDKERNEL_API_KEY is missing, though {_host(model.base_url)} is not this "
            "machine; set it, to any word if the server needs none"
        )
    return model


def _host(url: str) -> str:
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""  # the configuration's own check reports what is wrong with it


def _is_plain_remote(url: str) -> bool:
    """Whether everybody on the way to a server can read what is sent to it."""
    host = _host(url)
    return bool(host) and url.strip().lower().startswith("http://") and not is_loopback(host)


def _number(
    given: Mapping[str, str], name: str, kind: Callable[[str], _Number], default: _Number, what: str, least: int = 0
) -> _Number:
    if name not in given:
        return default
    try:
        value = kind(given[name])
    except ValueError:
        value = kind("-1")
    least = 1 if kind is int else least
    if not least <= value < float("inf"):
        wanted = "a whole number > 0" if kind is int else f"a number >= {least}"
        raise ConfigError(f"{name}: expected {wanted} ({what}), got {given[name]!r}")
    return value


def _complaint(error: ValidationError, given: Mapping[str, str]) -> list[str]:
    """A line per mistake; most concern the URL, whose own validator words them without quoting secrets."""
    variable = "QDKERNEL_BASE_URL" if "QDKERNEL_BASE_URL" in given else "OPENAI_BASE_URL"
    return [
        f"{variable}: {one['ctx']['text'] if one['type'] == OWN_ERROR else one['msg']}"
        for one in error.errors(include_url=False)
    ]
