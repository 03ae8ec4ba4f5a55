"""Every attempt is booked: by what the server counted, else by an estimate that is said to be one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qdkernel.llm import CallFailed, CallObserver, FailureKind, TokenUsage
from qdkernel.llm.usage import Counts, counts_of
from tests.llm.endpoints import ASK, BOTH, connected, fail
from tests.llm_server import FAILURES, Answer, in_turn

PROMPT = 8  # tokens of ASK by estimate: 28 characters
COUNTS = {"prompt_tokens": 2500, "completion_tokens": 900}
COUNTED = TokenUsage(2500, 900, (2500 * 2.0 + 900 * 10.0) / 1e6)


class Books(CallObserver):
    """Remembers the requests, and permits a number of them."""

    def __init__(self, permitted: int = 10**6) -> None:
        self.permitted = permitted
        self.ends: list[TokenUsage] = []
        self.failures: list[tuple[FailureKind, str]] = []

    def admit(self) -> bool:
        return len(self.ends) < self.permitted

    def ended(self, usage: TokenUsage) -> None:
        self.ends.append(usage)

    def failed(self, kind: FailureKind, text: str) -> None:
        self.failures.append((kind, text))


def spent(answer: Answer, stream: bool = False, **options: Any) -> TokenUsage:
    error, _ = fail(in_turn(answer), stream=stream, attempts=1, input_price=2.0, output_price=10.0, **options)
    return error.usage


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        Answer("", counts=COUNTS),
        Answer("", finish="length", counts=COUNTS),
        Answer("void", finish="content_filter", counts=COUNTS),
        Answer(refusal="no", counts=COUNTS),
        Answer(status=500, raw=json.dumps({"error": {"message": "boom"}, "usage": COUNTS}).encode()),
        Answer(status=400, raw=json.dumps({"error": {"message": "filtered", "usage": COUNTS}}).encode()),
        Answer(raw=json.dumps({"error": {"message": "upstream failed"}, "usage": COUNTS}).encode()),
        Answer(raw=json.dumps({"choices": None, "usage": COUNTS}).encode()),
    ],
    ids=["empty", "full", "filtered", "refused", "server-error", "bad-request", "error-with-200", "no-choices"],
)
def test_a_failed_request_costs_what_the_server_counted(answer: Answer, stream: bool) -> None:
    assert spent(answer, stream) == COUNTED


def test_a_whole_reply_that_is_too_long_costs_what_the_server_counted() -> None:
    assert spent(Answer("x" * 300_000, counts=COUNTS)) == COUNTED


def test_a_stream_that_is_too_long_is_not_read_to_its_counts_and_costs_what_arrived() -> None:
    usage = spent(Answer("x" * 300_000, counts=COUNTS), stream=True)
    assert usage.completion_tokens > 256 * 1024 / 3.5
    assert usage.estimated_tokens == usage.tokens


@pytest.mark.parametrize(
    "tail",
    [b"", b"data: {not json\n\n", b'error: {"message": "boom"}\n\n', b'data: {"error": {"message": "boom"}}\n\n'],
    ids=["cut", "garbled", "error-field", "error-chunk"],
)
def test_a_stream_that_ends_badly_costs_what_it_counted_so_far(tail: bytes) -> None:
    delta = {"choices": [{"index": 0, "delta": {"content": "void"}, "finish_reason": None}], "usage": COUNTS}
    raw = b"data: " + json.dumps(delta).encode() + b"\n\n" + tail
    assert spent(Answer(raw=raw, headers={"Content-Type": "text/event-stream"}), stream=True) == COUNTED


MOST = 1000  # max_tokens


@pytest.mark.parametrize(
    ("name", "stream", "tokens"),
    [
        ("no-key", False, 0),  # refused unread
        ("bad-request", False, 0),
        ("rate-limit-long", False, 0),
        ("filtered-prompt", False, PROMPT),
        ("server-error-final", False, PROMPT),
        ("reset", False, PROMPT),
        ("cut-body", False, PROMPT + MOST),  # a whole reply is sent when it is complete
        ("stalled", False, PROMPT + MOST),
        ("hang", True, PROMPT + MOST),
        ("stream-without-finish", True, PROMPT + 229),  # 800 characters
    ],
)
def test_without_counts_a_failed_request_costs_an_estimate(name: str, stream: bool, tokens: int) -> None:
    options: dict[str, Any] = {"stream": stream, "attempts": 1, "max_tokens": MOST, "timeout_s": 0.3}
    error, _ = fail(in_turn(FAILURES[name]), **options)
    prompt = min(tokens, PROMPT)
    assert error.usage == TokenUsage(prompt, tokens - prompt, 0.0, tokens)


def test_an_empty_reply_that_reached_its_limit_uncounted_costs_all_of_it() -> None:
    usage = spent(Answer("", finish="length", usage=False), max_tokens=MOST)
    assert (usage.completion_tokens, usage.estimated_tokens) == (MOST, PROMPT + MOST)


def test_a_reply_costs_its_failed_attempts_too_and_says_what_of_it_is_estimated() -> None:
    good = Answer("void", counts={"prompt_tokens": 10, "completion_tokens": 5})
    books = Books()
    answers = in_turn(Answer("", counts=COUNTS), FAILURES["reset"], good)
    with connected(answers, input_price=2.0, output_price=10.0) as (endpoint, _):
        completion = endpoint.complete(ASK, books)
    assert books.ends == [
        COUNTED,
        TokenUsage(PROMPT, 0, PROMPT * 2.0 / 1e6, PROMPT),
        TokenUsage(10, 5, (10 * 2.0 + 5 * 10.0) / 1e6),
    ]
    assert completion.attempts == 3
    assert completion.usage.tokens == sum(usage.tokens for usage in books.ends)
    assert completion.cost == pytest.approx(sum(usage.cost for usage in books.ends))
    assert completion.estimated_tokens == PROMPT


def test_a_failure_is_told_with_its_first_attempt() -> None:
    books = Books()
    with connected(in_turn(FAILURES["server-error"], "void")) as (endpoint, server):
        endpoint.complete(ASK, books)
    ((kind, text),) = books.failures
    assert (kind, text) == (FailureKind.SERVER, f"{server.base_url[7:-3]}: HTTP 500: boom")


def test_no_request_is_sent_that_is_not_permitted() -> None:
    with connected(in_turn(FAILURES["server-error"])) as (endpoint, server), pytest.raises(CallFailed) as caught:
        endpoint.complete(ASK, Books(permitted=2))
    assert (caught.value.kind, caught.value.attempts, len(server.requests)) == (FailureKind.SERVER, 2, 2)
    with connected(in_turn("x")) as (endpoint, server), pytest.raises(CallFailed) as caught:
        endpoint.complete(ASK, Books(permitted=0))
    assert (caught.value.kind, caught.value.attempts, server.requests) == (FailureKind.CANCELLED, 0, [])


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5}}, Counts(10, 5)),
        ({"usage": {"prompt_tokens": "10", "completion_tokens": 5.0}}, Counts(10, 5)),
        ({"usage": {"input_tokens": 10, "output_tokens": 5}}, Counts(10, 5)),
        ({"prompt_eval_count": 10, "eval_count": 5}, Counts(10, 5)),
        ({"x_groq": {"usage": {"prompt_tokens": 10, "completion_tokens": 5}}}, Counts(10, 5)),
        ({"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5}}, Counts(10, 5)),
        # hidden reasoning that only the total includes
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 95}}, Counts(10, 85)),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 0}}, Counts(10, 0)),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, Counts(None, None)),
        ({"usage": {"prompt_tokens": 10}}, Counts(10, None)),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": True}}, Counts(None, None)),
        ({"usage": None}, Counts(None, None)),
        ([], Counts(None, None)),
    ],
)
def test_counts_are_found_under_every_servers_names(data: object, counts: Counts) -> None:
    assert counts_of(data) == counts
