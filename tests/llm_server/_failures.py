"""Answers that are none: one of everything that servers and gateways have been seen to do."""

from __future__ import annotations

import json

from tests.llm_server._answer import Answer

_EVENTS = {"Content-Type": "text/event-stream"}
_CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "void "}, "finish_reason": null}]}\n\n'
_TEXT = "void dgemm(void) {}\n" * 40

FAILURES: dict[str, Answer] = {
    "rate-limit": Answer("slow down", 429, {"Retry-After": "1"}, {"code": "rate_limit_exceeded"}),
    "rate-limit-ms": Answer("slow down", 429, {"retry-after-ms": "200"}),
    "rate-limit-long": Answer("slow down", 429, {"Retry-After": "300"}),
    "quota": Answer("you exceeded your current quota", 429, error={"code": "insufficient_quota"}),
    "bad-request": Answer("the context is 4096 tokens", 400, error={"code": "context_length_exceeded"}),
    "no-key": Answer("who are you?", 401, error={"code": "invalid_api_key"}),
    "forbidden": Answer("not for you", 403),
    "not-found": Answer("no model of that name", 404, error={"code": "model_not_found"}),
    "unprocessable": Answer(status=422, raw=b'{"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}'),
    "request-timeout": Answer("too slow", 408),
    "conflict": Answer("conflict", 409),
    "server-error": Answer("boom", 500),
    "unavailable": Answer(status=503, headers={"Content-Type": "text/html"}, raw=b"<html><h1>503</h1></html>"),
    "server-error-final": Answer("boom", 500, {"x-should-retry": "false"}),
    "hang": Answer(hang_s=600.0),
    "reset": Answer(cut_after=0),
    "cut-body": Answer(_TEXT, cut_after=100),
    "cut-stream": Answer(_TEXT, cut_after=3),
    "stalled": Answer(_TEXT, cut_after=3, hang_s=600.0),
    "broken-json": Answer(raw=b'{"id": "c1", "choices": ['),
    "not-utf8": Answer(raw=b'{"choices": "\xff\xfe"}'),
    "deep-json": Answer(raw=b"[" * 100_000),
    "web-page": Answer(raw=b"<!DOCTYPE html><p>Please log in</p>", headers={"Content-Type": "text/html"}),
    "no-choices": Answer(raw=b'{"hello": "world"}'),
    "empty-choices": Answer(raw=b'{"choices": []}'),
    "odd-choices": Answer(raw=b'{"choices": [7]}'),
    "no-message": Answer(raw=b'{"choices": [{"finish_reason": "stop"}]}'),
    "list": Answer(raw=b"[1, 2]"),
    "error-with-200": Answer(raw=json.dumps({"error": {"message": "upstream is busy", "code": 429}}).encode()),
    "bad-chunk": Answer(raw=_CHUNK + b"data: {not json\n\n", headers=_EVENTS),
    "odd-chunk": Answer(raw=_CHUNK + b"data: 7\n\n", headers=_EVENTS),
    "error-chunk": Answer(raw=_CHUNK + b'data: {"error": {"message": "out of memory"}}\n\n', headers=_EVENTS),
    "stream-without-finish": Answer(_TEXT, stream_without_end=True),
    "null-choices": Answer(raw=b'{"choices": null, "error": null, "usage": null}'),
    "no-body": Answer(raw=b""),
    "no-content": Answer(status=204, raw=b""),
    "choice-error": Answer(
        raw=b'{"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "upstream failed"}}]}'
    ),
    "error-field": Answer(
        raw=_CHUNK + b'error: {"code": 500, "message": "context size has been exceeded"}\n\n', headers=_EVENTS
    ),
    "error-event": Answer(
        raw=_CHUNK + b'event: error\ndata: {"code": "503", "message": "overloaded"}\n\n', headers=_EVENTS
    ),
    "full-context": Answer("", finish="length", counts={"prompt_tokens": 4095, "completion_tokens": 1}),
    "cut-thinking": Answer(
        "<think>and then " * 50, finish="length", counts={"prompt_tokens": 2500, "completion_tokens": 8192}
    ),
    "wrong-path": Answer(
        raw=b'{"error": "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway"}'
    ),
    "redirect": Answer(status=307, raw=b"", headers={"Location": "https://127.0.0.1:1/v1/chat/completions"}),
    "prompt-too-long": Answer(
        "the request exceeds the available context size (4096 tokens), try increasing it",
        400,
        error={"type": "exceed_context_size_error", "n_prompt_tokens": 5210, "n_ctx": 4096},
    ),
    "empty": Answer(""),
    "blank": Answer(" \n\t\n"),
    "null-content": Answer(raw=b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'),
    "only-thinking": Answer("<think>hm</think>", finish="length"),
    "refused": Answer(refusal="I cannot help with kernels."),
    "filtered": Answer("void", finish="content_filter"),
    "filtered-prompt": Answer("the prompt was filtered", 400, error={"code": "content_filter"}),
}
"""By name; some differ only when the request asks for a stream."""
