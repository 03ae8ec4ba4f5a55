"""Limits that servers state, limits that they keep to themselves, and prompts that they cut."""

from __future__ import annotations

import pytest

from qdkernel.llm import CallObserver, FailureKind, Message
from qdkernel.llm.context import ContextCheck, permitted_tokens
from qdkernel.llm.usage import Counts
from tests.llm.endpoints import ASK, connected, fail
from tests.llm_server import Answer, Body, in_turn

PROMPT = 8750  # characters, about 2500 tokens


@pytest.mark.parametrize(
    ("said", "permitted"),
    [
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 8192 "
            "tokens and your request has 2513 input tokens (8192 > 8192 - 2513).",
            5663,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 10705 tokens (2513 in the "
            "messages, 8192 in the completion).",
            1567,
        ),
        ("`inputs` tokens + `max_new_tokens` must be <= 4,096. Given: 2513 `inputs` tokens and 8192", 1567),
        ("max_tokens is too large: 8192. This model supports at most 4096 completion tokens", 4096),
        ("max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for this model", 4096),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8191]", 8191),
        ("max_tokens exceeds the limit of this deployment", 4096),  # nothing stated: half
        ("max_tokens must be less than the context length (8192)", 8192 - 3000 - 16),
        ("max_tokens is too large, the context is 2048 tokens", None),  # no kernel fits beside the prompt
        ("Unsupported parameter: 'max_tokens' is not supported, use at most 'max_completion_tokens' instead.", None),
        ("the request exceeds the available context size (4096 tokens), try increasing it", None),
        ("model not found", None),
    ],
)
def test_a_stated_limit_of_a_reply_is_read(said: str, permitted: int | None) -> None:
    assert permitted_tokens(said, 8192, PROMPT) == permitted


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("max_tokens is too large: 8192. This model supports at most 3000 completion tokens", [8192, 3000]),
        ("max_tokens is too large", [8192, 4096, 2048]),
        ("max_tokens must be at most 5000 tokens", [8192, 5000, 2500]),  # says less than the truth
    ],
)
def test_max_tokens_is_lowered_to_what_the_server_permits_told_and_remembered(message: str, asked: list[int]) -> None:
    told = Told()

    def script(body: Body, number: int) -> Answer:
        return Answer(message, 400) if body["max_tokens"] > 3000 else Answer("void")

    with connected(script, max_tokens=8192) as (endpoint, server):
        endpoint.complete(ASK, told)
        endpoint.complete(ASK, told)
        assert endpoint.max_tokens == asked[-1]
    assert [request.body["max_tokens"] for request in server.requests] == [*asked, asked[-1]]
    assert told.texts[0].startswith(f"max_tokens is lowered from 8,192 to {asked[1]:,} for this model (127.0.0.1:")
    assert len(told.texts) == len(asked) - 1
    assert told.failures == []


def test_a_limit_below_any_kernel_is_an_error_of_the_request() -> None:
    message = "max_tokens is too large: 8192. The maximum is 100 completion tokens"
    error, server = fail(in_turn(Answer(message, 400)), max_tokens=600)
    assert (error.kind, len(server.requests)) == (FailureKind.REJECTED, 1)


class Told(CallObserver):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failures: list[tuple[FailureKind, str]] = []

    def noticed(self, text: str) -> None:
        self.texts.append(text)

    def failed(self, kind: FailureKind, text: str) -> None:
        self.failures.append((kind, text))


def told_of(*rounds: tuple[int, int]) -> list[str]:
    """What is told of prompts of so many characters and the tokens a server counted for them."""
    told = Told()
    script = in_turn(*(Answer("x", counts={"prompt_tokens": n, "completion_tokens": 9}) for _, n in rounds))
    with connected(script) as (endpoint, _):
        for characters, _ in rounds:
            endpoint.complete((Message("user", "x" * characters),), told)
    return told.texts


def test_a_prompt_of_which_the_server_counted_far_less_was_cut_and_that_is_told_once() -> None:
    (text,) = told_of((17_500, 2048), (17_500, 2048))
    assert text == (
        "the server counted 2,048 prompt tokens of about 5,000 that were sent: it seems to cut prompts; raise its "
        "context: num_ctx (Ollama), -c (llama.cpp), --max-model-len (vLLM)"
    )


def test_a_prompt_that_was_cut_a_little_is_noticed_beside_earlier_ones() -> None:
    (text,) = told_of((8_750, 2550), (17_840, 4096))  # 5,200 tokens by the server's own measure
    assert text.startswith("the server counted 4,096 prompt tokens of about 5,097 that were sent")


def test_two_prompts_that_fill_the_same_context_are_noticed() -> None:
    assert len(told_of((15_000, 4095), (16_000, 4095))) == 1


@pytest.mark.parametrize(
    "rounds",
    [
        ((8_750, 2500), (17_500, 5000)),
        ((8_750, 2900), (17_500, 5100)),  # 12 % denser: another mixture of code and prose
        ((8_750, 1800), (17_500, 3600)),  # a vocabulary of 4.9 characters a token
        ((2_000, 100), (2_000, 570)),  # too short to be cut
        ((15_000, 4096), (15_000, 4096)),  # the same prompt twice
    ],
)
def test_vocabularies_of_other_density_are_no_cut_prompts(rounds: tuple[tuple[int, int], ...]) -> None:
    assert told_of(*rounds) == []


def test_a_server_that_counts_nothing_cannot_be_found_out() -> None:
    assert ContextCheck().notice(17_500, Counts()) == ""


def test_a_reply_that_the_context_ended_before_its_limit_is_told_once() -> None:
    told = Told()
    counts = {"prompt_tokens": 2500, "completion_tokens": 1596}
    with connected(in_turn(Answer("void", finish="length", counts=counts))) as (endpoint, _):
        endpoint.complete(ASK, told)
        endpoint.complete(ASK, told)
    assert told.texts == [
        "a reply was cut after 1,596 of 8,192 tokens: the server's context is full; raise its context: num_ctx "
        "(Ollama), -c (llama.cpp), --max-model-len (vLLM)"
    ]


def test_a_reply_that_reached_its_limit_says_nothing_of_the_context() -> None:
    told = Told()
    counts = {"prompt_tokens": 2500, "completion_tokens": 8192}
    with connected(in_turn(Answer("void", finish="length", counts=counts))) as (endpoint, _):
        endpoint.complete(ASK, told)
    assert told.texts == []
