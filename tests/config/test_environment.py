"""A model described by environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from qdkernel.config import (
    BudgetConfig,
    Config,
    ModelConfig,
    resolve_models,
)
from qdkernel.config.llm import PriceConfig
from qdkernel.errors import ConfigError
from tests.config.loading import LOCAL, SECRET, listed


def from_environment(environ: Mapping[str, str]) -> tuple[ModelConfig, ...]:
    config = Config(problem="dgemm", budget=BudgetConfig(minutes=3), models="environment")
    return resolve_models(config, environ).known_models


def complaint_of_environment(**environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        from_environment(environ)
    return str(caught.value)


def test_listed_models_are_left_alone() -> None:
    config = listed(ModelConfig(model="m", base_url=LOCAL))
    assert resolve_models(config, {"QDKERNEL_MODEL": "other", "QDKERNEL_BASE_URL": LOCAL}) is config


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OPENAI_API_KEY": "k"},
        {"OPENAI_BASE_URL": LOCAL, "OPENAI_API_KEY": "k"},
        {"QDKERNEL_MODEL": "", "QDKERNEL_BASE_URL": " "},
        {"QDKERNEL_CACHE": "/tmp/cache", "QDKERNEL_PARALLEL": "3"},
    ],
)
def test_an_environment_that_describes_no_model_gives_none(environ: Mapping[str, str]) -> None:
    assert from_environment(environ) == ()


@pytest.mark.parametrize(
    ("environ", "url", "key"),
    [
        ({"QDKERNEL_BASE_URL": LOCAL}, LOCAL, None),
        ({"QDKERNEL_BASE_URL": "http://127.0.0.1:11434/v1"}, "http://127.0.0.1:11434/v1", None),
        ({"QDKERNEL_BASE_URL": "http://[::1]:80/v1"}, "http://[::1]:80/v1", None),
        ({"QDKERNEL_API_KEY": "k"}, "https://api.openai.com/v1", "QDKERNEL_API_KEY"),
        ({"OPENAI_API_KEY": "k"}, "https://api.openai.com/v1", "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://h/v1"}, "https://h/v1", "OPENAI_API_KEY"),
        (
            {
                "QDKERNEL_BASE_URL": LOCAL,
                "OPENAI_BASE_URL": "https://h",
                "QDKERNEL_API_KEY": "k",
                "OPENAI_API_KEY": "l",
            },
            LOCAL,
            "QDKERNEL_API_KEY",
        ),
    ],
)
def test_url_and_key_are_found_in_the_environment(environ: Mapping[str, str], url: str, key: str | None) -> None:
    (model,) = from_environment({"QDKERNEL_MODEL": "small", **environ})
    assert model == ModelConfig(model="small", base_url=url, api_key_env=key)


def test_parallel_requests_and_prices_are_taken_from_the_environment() -> None:
    numbers = {"QDKERNEL_PARALLEL": "8", "QDKERNEL_PRICE_INPUT": "0.15", "QDKERNEL_PRICE_OUTPUT": "1"}
    (model,) = from_environment({"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": LOCAL, **numbers})
    assert (model.parallel, model.price) == (8, PriceConfig(input=0.15, output=1.0))


def test_the_limits_of_a_request_are_taken_from_the_environment() -> None:
    limits = {"QDKERNEL_MAX_TOKENS": "2048", "QDKERNEL_TIMEOUT_S": "600"}
    (model,) = from_environment({"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": LOCAL, **limits})
    assert (model.max_tokens, model.timeout_s) == (2048, 600.0)


REMOTE = "http://gpu.example:8000/v1"


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({}, None),
        ({"OPENAI_API_KEY": "k"}, None),  # never meant for that server
        ({"QDKERNEL_API_KEY": "k", "QDKERNEL_KEY_OVER_HTTP": "1"}, "QDKERNEL_API_KEY"),
        ({"OPENAI_API_KEY": "k", "QDKERNEL_KEY_OVER_HTTP": "1"}, "OPENAI_API_KEY"),
    ],
)
def test_a_key_goes_over_plain_http_to_another_machine_only_when_that_is_allowed(
    environ: Mapping[str, str], key: str | None
) -> None:
    (model,) = from_environment({"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": REMOTE, **environ})
    assert model.api_key_env == key


def test_a_configured_key_over_plain_http_is_refused_unless_it_is_allowed_or_stays_here() -> None:
    fields: dict[str, Any] = {"model": "m", "base_url": REMOTE, "api_key_env": "THE_KEY"}
    with pytest.raises(
        ValidationError, match=r"expected https, as the key would cross the network to gpu\.example unen"
    ):
        ModelConfig(**fields)
    assert ModelConfig(**fields, key_over_http=True).key_over_http
    for host in ("localhost", "127.0.0.2", "[::1]", "0.0.0.0", "box.localhost"):
        assert ModelConfig(model="m", base_url=f"http://{host}:8000/v1", api_key_env="THE_KEY").api_key_env == "THE_KEY"


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": REMOTE, "QDKERNEL_API_KEY": SECRET},
            "models: environment: expected https, as QDKERNEL_API_KEY would cross the network to gpu.example",
        ),
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": LOCAL, "QDKERNEL_MAX_TOKENS": "-1"},
            "QDKERNEL_MAX_TOKENS: expected a whole number > 0 (longest reply in tokens), got '-1'",
        ),
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": LOCAL, "QDKERNEL_TIMEOUT_S": "0"},
            "QDKERNEL_TIMEOUT_S: expected a number >= 1 (seconds for one request), got '0'",
        ),
        (
            {"QDKERNEL_BASE_URL": LOCAL},
            "models: environment: QDKERNEL_MODEL is missing, though QDKERNEL_BASE_URL is set; it takes ",
        ),
        (
            {"QDKERNEL_BASE_URL": LOCAL, "QDKERNEL_API_KEY": SECRET},
            "models: environment: QDKERNEL_MODEL is missing, though QDKERNEL_BASE_URL and QDKERNEL_API_KEY are set; ",
        ),
        (
            {"QDKERNEL_MODEL": "m"},
            "models: environment: QDKERNEL_BASE_URL is missing, though QDKERNEL_MODEL is set; it takes ",
        ),
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": "https://host/v1"},
            "models: environment: QDKERNEL_API_KEY is missing, though host is not this machine; set it, to any word",
        ),
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": "host"},
            "QDKERNEL_BASE_URL: expected an http or https URL, e.g. http://localhost:8000/v1, got 'host'",
        ),
        (
            {"QDKERNEL_MODEL": "m", "OPENAI_BASE_URL": f"https://x:{SECRET}@h"},
            "OPENAI_BASE_URL: expected a URL without user, password",
        ),
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": LOCAL, "QDKERNEL_PARALLEL": "many"},
            "QDKERNEL_PARALLEL: expected a whole number > 0 (requests at once), got 'many'",
        ),
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": LOCAL, "QDKERNEL_PARALLEL": "0"},
            "QDKERNEL_PARALLEL: expected a whole number > 0 (requests at once), got '0'",
        ),
        (
            {"QDKERNEL_MODEL": "m", "QDKERNEL_BASE_URL": LOCAL, "QDKERNEL_PRICE_INPUT": "nan"},
            "QDKERNEL_PRICE_INPUT: expected a number >= 0 (US dollars per million tokens), got 'nan'",
        ),
    ],
)
def test_half_a_description_says_what_is_missing(environ: dict[str, str], complaint: str) -> None:
    found = complaint_of_environment(**environ)
    assert found.startswith(complaint)
    assert SECRET not in found
