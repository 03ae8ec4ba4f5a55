"""Keys do not get into texts, errors and places where they do not belong."""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Mapping

import pytest

from qdkernel.errors import ConfigError
from qdkernel.llm import Endpoint, EndpointSpec, FailureKind
from qdkernel.llm.secret import Secret
from tests.llm.endpoints import ASK, BOTH, KEY, Waits, fail
from tests.llm_server import Answer, ModelServer, in_turn

# -- secrets ----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "echo",
    [
        f"Incorrect API key provided: {KEY}. You can find yours elsewhere.",
        f"Incorrect API key provided: {KEY[:8]}*****************{KEY[-4:]}.",
        f"bad key {KEY[:12]}...",
        f"bad key ...{KEY[-10:]}",
        f"bad key {KEY[:9]}\x00{KEY[9:]}",
        "x" * 120 + f" {KEY}",
        f"bad header Bearer {KEY}",
    ],
)
def test_a_key_that_the_server_echoes_does_not_get_into_the_text(echo: str, stream: bool) -> None:
    error, _ = fail(in_turn(Answer(echo, 401)), stream=stream)
    text = str(error)
    assert all(KEY[start : start + 8] not in text for start in range(len(KEY) - 7))
    assert error.kind is FailureKind.KEY


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500, raw=KEY.encode()),
        Answer(raw=KEY.encode()),
        Answer(raw=json.dumps({"error": {"message": KEY}}).encode()),
        Answer(refusal=f"I will not use {KEY}"),
        Answer(f"temporarily moved to https://user:pass{KEY}@example.org/v1", 500),
    ],
)
def test_no_kind_of_failure_tells_the_key_or_the_user_of_a_url(answer: Answer) -> None:
    error, _ = fail(in_turn(answer), attempts=2)
    assert "user:" not in str(error)


def test_control_characters_and_line_ends_of_a_server_do_not_reach_a_terminal() -> None:
    error, _ = fail(in_turn(Answer("red \x1b[31malert\x1b[0m\r\nsecond\tline\u202e", 400)))
    assert "HTTP 400: red alert second line" in str(error)


def test_a_key_with_a_newline_at_its_end_is_used_without_it() -> None:
    with ModelServer(in_turn("x")) as server:
        spec = EndpointSpec("m", server.base_url, "x", "MODEL_KEY")
        with contextlib.closing(Endpoint(spec, {"MODEL_KEY": f"{KEY}\n"}, Waits())) as endpoint:
            endpoint.complete(ASK)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_server_that_wants_no_key_gets_none_even_when_the_environment_holds_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(ModelServer(in_turn("x")))
        endpoint = stack.enter_context(contextlib.closing(Endpoint(EndpointSpec("m", server.base_url, "x"))))
        endpoint.complete(ASK)
    assert server.requests[0].headers["authorization"] == "Bearer none"


@pytest.mark.parametrize("environ", [{}, {"MODEL_KEY": ""}, {"MODEL_KEY": " \n"}])
def test_a_missing_key_is_a_mistake_of_the_configuration(environ: Mapping[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint(EndpointSpec("m", "http://localhost/v1", "x", "MODEL_KEY"), environ)
    assert str(caught.value) == (
        "models: m: api_key_env: expected a key in the environment variable MODEL_KEY, which is not set"
    )


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint(EndpointSpec("m", "http://localhost/v1", "x", "MODEL_KEY"), {"MODEL_KEY": "sk-a\nsk-b"})
    assert str(caught.value) == (
        "models: m: api_key_env: expected visible ASCII characters in the environment variable MODEL_KEY, got others; "
        "copy the key again"
    )


@pytest.mark.parametrize(
    "url",
    ["http://user:hunter2@localhost/v1", "http://hunter2@localhost/v1", "http://localhost/v1?key=hunter2"],
)
def test_a_url_with_a_secret_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint(EndpointSpec("m", url, "x"))
    assert "put the key into an environment variable and its name into api_key_env" in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://localhost/v1", "http:///v1", "", "http://[::1/v1", "http://h:x"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected a URL such as http://localhost:8000/v1"):
        Endpoint(EndpointSpec("m", url, "x"))


def test_a_secret_does_not_show() -> None:
    assert repr(Secret(KEY)) == "Secret([key])"
    assert Secret(None).scrub("none of them", 100) == "none of them"
