"""Replies as servers and models wrap them: every one of them brings the text that was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qdkernel.llm import FailureKind, Message
from qdkernel.llm.wrapping import bare
from tests.llm.endpoints import ASK, BOTH, connected, fail
from tests.llm_server import REPLIES, Answer, Body, in_turn

GOOD = REPLIES["good"]
CODE = GOOD.partition("```c\n")[2].partition("```")[0]
DRAFT = GOOD.replace("c[j] += a", "c[j] -= a")
EVENTS = {"Content-Type": "text/event-stream"}


def whole(message: dict[str, Any], finish: str | None = "stop", **top: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return Answer(raw=json.dumps({"choices": [choice], **top}).encode())


def streamed(*deltas: dict[str, Any], finish: str | None = "stop", done: bool = True) -> Answer:
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    if finish:
        choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    raw = b"".join(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n" for choice in choices)
    return Answer(raw=raw + (b"data: [DONE]\n\n" if done else b""), headers=EVENTS)


def reply_to(answer: Answer, stream: bool = False) -> str:
    with connected(in_turn(answer), stream=stream, attempts=1) as (endpoint, _):
        return endpoint.complete(ASK).text


WRAPPED = {
    "thought": f"<thought>\n{DRAFT}\n</thought>\n{GOOD}",
    "namespaced-think": f"<seed:think>\n{DRAFT}\n</seed:think>\n{GOOD}",
    "brackets": f"[THINK]{DRAFT}[/THINK]{GOOD}",
    "thought-tokens": f"<|begin_of_thought|>{DRAFT}<|end_of_thought|>\n<|begin_of_solution|>{GOOD}<|end_of_solution|>",
    "two-thoughts": f"<think>{DRAFT}</think>\n<think>{DRAFT}</think>\n{GOOD}",
    "harmony": f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{GOOD}"
    "<|return|>",
    "harmony-constrained": f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final "
    f"<|constrain|>c<|message|>{GOOD}<|return|>",
    "harmony-without-tokens": f"analysisWe need a kernel. {DRAFT}assistantfinal{GOOD}",
    "one-channel": f"<|channel|>commentary<|message|>{GOOD}<|end|>",
    "end-of-turn": f"{GOOD}<|im_end|>",
    "gemma-end-of-turn": f"{GOOD}<end_of_turn>\n<start_of_turn>user\n{DRAFT}",
    "fullwidth-end": f"{GOOD}<｜end▁of▁sentence｜>",
    "next-turn": f"{GOOD}<|im_end|>\n<|im_start|>user\nNow write it worse:\n{DRAFT}<|im_end|>",
    "next-turn-of-llama": f"{GOOD}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{DRAFT}",
    "next-turn-in-words": f"{GOOD}\nUser:\nNow write it worse.\n{DRAFT}",
    "next-instruction": f"{GOOD}\n### Instruction:\nNow write it worse.\n{DRAFT}",
    "role-before": f"<|im_start|>assistant\n{GOOD}<|im_end|>",
    "header-before": f"<|start_header_id|>assistant<|end_header_id|>\n\n{GOOD}",
    "llama-2": f"[INST] {GOOD}" + "[/INST]",
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_stands_around_a_reply_is_taken_off(name: str) -> None:
    assert reply_to(Answer(WRAPPED[name])).strip() == GOOD.strip()


AS_JSON = f"IDEA: row order\n```c\n{CODE.strip()}\n```\n"
JSON_REPLIES = {
    "object": json.dumps({"idea": "row order", "code": CODE}),
    "fenced": "Here it is:\n```json\n" + json.dumps({"idea": "row order", "code": CODE}, indent=2) + "\n```\n",
    "nested": json.dumps({"result": {"summary": "row order", "kernel": {"language": "c", "source": CODE}}}),
    "raw-newlines": '{"idea": "row order", "code": "' + CODE.replace("\\", "\\\\").replace('"', '\\"') + '"}',
    "unknown-names": json.dumps({"title": "row order", "dgemm.c": CODE}),
}


@pytest.mark.parametrize("name", JSON_REPLIES)
def test_code_in_a_json_object_is_found(name: str) -> None:
    assert reply_to(Answer(JSON_REPLIES[name])) == AS_JSON


@pytest.mark.parametrize(
    "text",
    [
        '[{"parent": 1, "target": "packed", "strategy": "for (;;)\\n{ pack(B); }"}]',
        '{"note": "no code here"}',
        "double x[INST]; /* <b> and a </b> */ if (a <b || b> c) f(a|b);",
        "a = b < c | d;\n<not a token>",
    ],
)
def test_a_plan_a_note_and_plain_c_stay_as_they_are(text: str) -> None:
    assert bare(text) == text


ARGUMENTS = json.dumps({"idea": "row order", "code": CODE})
CALLS: dict[str, dict[str, Any]] = {
    "call": {"content": None, "tool_calls": [{"id": "1", "function": {"name": "write", "arguments": ARGUMENTS}}]},
    "object": {"content": "", "tool_calls": [{"function": {"arguments": {"idea": "row order", "code": CODE}}}]},
    "legacy": {"content": None, "function_call": {"name": "write", "arguments": ARGUMENTS}},
}


@pytest.mark.parametrize("name", CALLS)
def test_code_in_a_tool_call_nobody_offered_is_the_reply(name: str) -> None:
    assert reply_to(whole(CALLS[name], "tool_calls")) == AS_JSON


def test_a_tool_call_may_be_streamed_in_pieces() -> None:
    pieces = [ARGUMENTS[at : at + 50] for at in range(0, len(ARGUMENTS), 50)]
    deltas = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    assert reply_to(streamed(*deltas, finish="tool_calls"), stream=True) == AS_JSON


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_a_reply_that_is_only_in_a_field_for_thinking_is_read(field: str) -> None:
    assert reply_to(whole({"content": "", field: GOOD + "<|end_of_sentence|>"})) == GOOD
    pieces = [{field: GOOD[at : at + 60]} for at in range(0, len(GOOD), 60)]
    assert reply_to(streamed(*pieces), stream=True) == GOOD


def test_parts_of_thinking_are_no_text() -> None:
    parts = [{"type": "reasoning", "text": DRAFT}, {"type": "thinking", "thinking": [{"text": DRAFT}]}]
    assert reply_to(whole({"content": [*parts, {"type": "text", "text": GOOD}]})) == GOOD


def test_the_mark_of_the_end_replaces_a_finish_reason() -> None:
    assert reply_to(streamed({"content": "void "}, {"content": "f();"}, finish=None), stream=True) == "void f();"
    error, _ = fail(in_turn(streamed(finish=None)), stream=True, attempts=1)
    assert error.kind is FailureKind.CUT


def test_a_stream_may_hold_whole_messages_and_come_with_any_content_type() -> None:
    event = {"choices": [{"index": 0, "message": {"content": GOOD}, "finish_reason": "stop"}]}
    raw = b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n"
    assert reply_to(Answer(raw=raw, headers=EVENTS), stream=True) == GOOD
    assert reply_to(Answer(raw=raw)) == GOOD
    assert reply_to(Answer(raw=json.dumps(event).encode(), headers=EVENTS), stream=True) == GOOD


def test_a_last_event_that_repeats_the_whole_reply_adds_nothing() -> None:
    last = {"choices": [{"index": 0, "delta": {}, "message": {"content": GOOD}, "finish_reason": "stop"}]}
    answer = streamed({"content": GOOD}, finish=None, done=False)
    assert answer.raw is not None
    raw = answer.raw + b"data: " + json.dumps(last).encode() + b"\n\n"
    assert reply_to(Answer(raw=raw, headers=EVENTS), stream=True) == GOOD


def test_ollamas_own_format_is_read() -> None:
    body = {"model": "m", "message": {"role": "assistant", "content": GOOD}, "done": True, "done_reason": "stop"}
    counts = {"prompt_eval_count": 2500, "eval_count": 400}
    with connected(in_turn(Answer(raw=json.dumps({**body, **counts}).encode()))) as (endpoint, _):
        completion = endpoint.complete(ASK)
    assert (completion.text, completion.prompt_tokens, completion.completion_tokens) == (GOOD, 2500, 400)


# -- what servers refuse ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "System role not supported"),
        (500, "Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/..."),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (422, "Input tag 'system' found using 'role' does not match any of the expected tags: 'user', 'assistant'"),
    ],
)
def test_a_server_without_a_system_role_gets_its_text_in_the_users_turn_from_then_on(status: int, message: str) -> None:
    def script(body: Body, number: int) -> Answer:
        return Answer(message, status) if body["messages"][0]["role"] == "system" else Answer("void")

    with connected(script) as (endpoint, server):
        assert endpoint.complete(ASK).attempts == 2
        assert endpoint.complete((*ASK, Message("assistant", "No."), Message("user", "Do."))).attempts == 1
    folded = {"role": "user", "content": "You write kernels.\n\nWrite one."}
    assert server.requests[1].body["messages"] == [folded]
    assert server.requests[2].body["messages"] == [
        folded,
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Do."},
    ]


@BOTH
def test_a_refused_system_role_that_was_not_the_reason_is_reported(stream: bool) -> None:
    error, server = fail(in_turn(Answer("System role not supported", 400)), stream=stream)
    assert (error.kind, len(server.requests)) == (FailureKind.REJECTED, 2)
    assert "HTTP 400: System role not supported" in str(error)
