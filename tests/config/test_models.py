"""The models that a configuration lists, and what needs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qdkernel.config import (
    BudgetConfig,
    LlmConfig,
    ModelConfig,
    check_operators,
    dump_config,
    load_config,
)
from qdkernel.config.llm import PriceConfig
from qdkernel.config.model import MutatorConfig
from qdkernel.errors import ConfigError
from tests.config.loading import LEAST, LOCAL, SECRET, complaints, listed, loaded


def test_a_model_and_its_url_are_enough(write: Path) -> None:
    config = loaded(write, LEAST + f"models:\n- model: small\n  base_url: {LOCAL}\n")
    assert config.models == (
        ModelConfig(
            name="small",
            base_url=LOCAL,
            model="small",
            api_key_env=None,
            temperature=0.8,
            max_tokens=8192,
            parallel=4,
            timeout_s=120,
            stream=False,
            price=PriceConfig(input=0, output=0),
            weight=1,
            extra={},
        ),
    )
    assert config.known_models == config.models


def test_every_key_of_a_model_can_be_given_and_is_dumped(write: Path, tmp_path: Path) -> None:
    config = loaded(
        write,
        LEAST + "models:\n"
        "- {model: org/small, name: s, base_url: 'https://host:8443/api', api_key_env: MY_KEY_2, temperature: null,\n"
        "   max_tokens: 100, parallel: 1, timeout_s: 9, stream: true, price: {input: 0.15, output: 0.6}, weight: 2,\n"
        "   extra: {top_p: 0.9, stop: [a, b], reasoning: {effort: low}}}\n"
        f"- {{model: large, base_url: '{LOCAL}'}}\n"
        "llm: {repairs: 0, reflect_every: null}\n",
    )
    first = config.known_models[0]
    assert (first.name, first.api_key_env, first.temperature, first.stream) == ("s", "MY_KEY_2", None, True)
    assert first.extra == {"top_p": 0.9, "stop": ["a", "b"], "reasoning": {"effort": "low"}}
    assert config.llm == LlmConfig(repairs=0, reflect_every=None)
    dumped = tmp_path / "config.yaml"
    dumped.write_text(dump_config(config), encoding="utf-8")
    assert load_config(dumped) == config


@pytest.mark.parametrize(
    ("models", "complaint"),
    [
        ("3", "models: expected a list, each entry a mapping with the keys model, name, base_url, .* or the word "),
        ("env", "models: expected a list, .* or the word 'environment', got 'env'"),
        ("[{model: a}]", "models[0].base_url: expected a non-empty text, got nothing; add this key: where the API "),
        ("[{model: a, base_url: 'http://h', prise: {}}]", "models[0].prise: no key 'prise'; did you mean 'price'?"),
        (
            "[{model: a, base_url: 'http://h', price: {input: -1}}]",
            "models[0].price.input: expected a number >= 0, got -1",
        ),
        (
            "[{model: a, base_url: 'http://h', temperature: 3}]",
            "models[0].temperature: expected a number >= 0 and <= 2 or null, got 3",
        ),
        ("[{model: a, base_url: 'http://h', stream: 1}]", "models[0].stream: expected true or false, got 1"),
        (
            "[{model: a, base_url: 'http://h', extra: 1}]",
            "models[0].extra: expected a mapping from names to values, got 1",
        ),
        (
            "[{model: a, base_url: 'http://h'}, {model: a, base_url: 'http://g'}]",
            "models: expected each model by a name of its own, got a more than once; set name",
        ),
        (
            "[{model: a, base_url: 'localhost:8000'}]",
            "models[0].base_url: expected an http or https URL, e.g. http://localhost:8000/v1, got 'localhost:8000'",
        ),
        ("[{model: a, base_url: 'http://h:port'}]", "models[0].base_url: expected an http or https URL"),
        (
            "[{model: a, base_url: 'http://h', extra: {messages: []}}]",
            "models[0].extra: expected fields that have no key of their own here, got 'messages'; remove it",
        ),
        (
            "[{model: a, base_url: 'http://h', extra: {Api_Key: x}}]",
            "models[0].extra: expected no secrets, got the key 'Api_Key': this file is copied into the run folder",
        ),
    ],
)
def test_a_mistake_in_a_model_is_named(write: Path, models: str, complaint: str) -> None:
    (found,) = complaints(write, LEAST + f"models: {models}\n")
    assert re.match(re.escape(f"run.yaml:3: {complaint}").replace(r"\.\*", ".*"), found), found


@pytest.mark.parametrize(
    "key",
    [
        SECRET,
        "sk_live",
        "gsk_abcDEF",
        "hf_abcdef",
        "xai-1",
        "a-b",
        "A" * 65,
        "abcdefghij0123456789abcd",
        "KEY=x",
        "my key",
    ],
)
def test_a_key_where_its_variable_belongs_is_refused_and_never_shown(write: Path, key: str) -> None:
    entry = "models[0].api_key_env: expected the name of an environment variable, e.g. OPENAI_API_KEY, got a text that"
    model = f"model: m, base_url: '{LOCAL}'"
    (found,) = complaints(write, LEAST + f"models: [{{{model}, api_key_env: '{key}'}}]\n")
    assert found.startswith(f"run.yaml:3: {entry}")
    assert key not in found
    for override in (f"models[0].api_key_env='{key}'", f"models=[{{{model}, api_key_env: '{key}'}}]"):
        (found,) = complaints(write, LEAST + f"models: [{{{model}}}]\n", override)
        assert found.startswith(f"--set {override.partition('=')[0]}=...: {entry}")
        assert key not in found


@pytest.mark.parametrize(
    "override",
    [
        f"models=[{{model: m, base_url: nonsense, api_key_env: '{SECRET}'}}]",
        f"models[7].api_key_env={SECRET}",
        f"models[0].api_key_env=[{SECRET}",
        f"models[0].api_key_env: {SECRET}",
    ],
)
def test_a_key_in_an_override_is_never_shown_whatever_is_wrong_with_it(write: Path, override: str) -> None:
    found = complaints(write, LEAST + f"models: [{{model: m, base_url: '{LOCAL}'}}]\n", override)
    assert all(text.startswith("--set models") for text in found)
    assert SECRET not in "".join(found)


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "QDKERNEL_API_KEY", "my_key", "KEY2", "MY_VERY_LONG_KEY_OF_2026_FOR_X"]
)
def test_names_of_variables_are_accepted(name: str) -> None:
    assert ModelConfig(model="m", base_url=LOCAL, api_key_env=name).api_key_env == name


def test_a_key_under_a_name_of_its_own_is_refused_and_never_shown(write: Path) -> None:
    override = f"models[0].api_key={SECRET}"
    (found,) = complaints(write, LEAST + f"models: [{{model: m, base_url: '{LOCAL}'}}]\n", override)
    assert found.startswith(
        "--set models[0].api_key=...: models[0].api_key: no key 'api_key'; did you mean 'api_key_env'?"
    )
    assert SECRET not in found


@pytest.mark.parametrize(
    "url", [f"https://user:{SECRET}@host/v1", f"https://host/v1?key={SECRET}", f"https://{SECRET}@host"]
)
def test_a_url_that_carries_a_secret_is_refused_and_never_shown(write: Path, url: str) -> None:
    (found,) = complaints(write, LEAST + f"models: [{{model: m, base_url: '{url}'}}]\n")
    assert found.startswith(
        "run.yaml:3: models[0].base_url: expected a URL without user, password, query or fragment, got one of host "
    )
    assert SECRET not in found


# -- operators and budget ---------------------------------------------------------------------------------------------

LOCAL_MODEL = ModelConfig(model="m", base_url=LOCAL)


def test_the_defaults_need_no_model() -> None:
    check_operators(listed())


def test_only_model_operators_without_a_model_are_a_mistake() -> None:
    config = listed(mutators=(MutatorConfig(name="edit"), MutatorConfig(name="plan")))
    expected = (
        "mutators: expected an operator that needs no model (schedule, tune), got edit, plan only, and no model is "
        "configured; add one of these operators, or list an endpoint under models, e.g. models: "
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(expected)}"):
        check_operators(config)
    check_operators(config.model_copy(update={"models": (LOCAL_MODEL,)}))


@pytest.mark.parametrize("limit", ["requests", "tokens", "usd"])
def test_a_budget_that_only_models_spend_needs_a_model(limit: str) -> None:
    budget = BudgetConfig.model_validate({limit: 5})
    with pytest.raises(ConfigError, match=r"^budget: expected evaluations or minutes to be set, as without a model no"):
        check_operators(listed(budget=budget))
    priced = ModelConfig(model="m", base_url=LOCAL, price=PriceConfig(output=0.6))
    check_operators(listed(priced, budget=budget))


def test_a_budget_in_dollars_needs_a_price() -> None:
    budget = BudgetConfig(minutes=3, usd=1)
    check_operators(listed(budget=budget))
    with pytest.raises(
        ConfigError, match=r"^budget\.usd: expected a model with a price, got m without; add e\.g\. price: "
    ):
        check_operators(listed(LOCAL_MODEL, budget=budget))
