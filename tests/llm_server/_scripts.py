"""Ready scripts."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tests.llm_server._answer import Answer, Body, Later, Script
from tests.llm_server._failures import FAILURES
from tests.llm_server._kernels import kernels
from tests.llm_server._replies import LESSON, REPLIES
from tests.llm_server._requests import asks_for, last_user_message
from tests.paths import TRANSCRIPTS

"""Replies that a large model gave to prompts about DGEMM: ``NN-kind.json``."""

_SEARCH = re.compile(r"^<<<<<<< SEARCH\n(.*?)^=======$", re.DOTALL | re.MULTILINE)


def in_turn(*answers: Answer | str) -> Script:
    """The answers one after the other, by the requests' numbers; the last one for ever."""
    if not answers:
        raise ValueError("expected at least one answer, got none")
    return lambda body, number: answers[min(number, len(answers) - 1)]


def by_operator(answers: Mapping[str, Answer | str | Sequence[Answer | str] | Script]) -> Script:
    """Answers keyed by a word of the request's last user message; the first key found there counts.

    Several answers under a key are given in turn, the last one for ever. The key ``""`` is found everywhere.

    Raises:
        LookupError: in the server's thread, when no key is found; ``ModelServer`` raises it again.
    """
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def script(body: Body, number: int) -> Answer | Later | str:
        asked = last_user_message(body)
        key = next((key for key in answers if key in asked), None)
        if key is None:
            raise LookupError(f"expected one of {sorted(answers)} in the last user message, got {asked[:500]!r}")
        with lock:
            turn = counts[key]
            counts[key] += 1
        answer = answers[key]
        if callable(answer):
            return answer(body, turn)
        if isinstance(answer, (Answer, str)):
            return answer
        return answer[min(turn, len(answer) - 1)]

    return script


def transcripts() -> Script:
    """Replays what a large model once replied to a request of the same kind.

    A request of the transcripts themselves gets its own reply; otherwise edits whose SEARCH lines do not occur in the
    request come last, and replies of a kind take turns. What asks for neither kernel nor plan gets ``LESSON``.
    """
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(TRANSCRIPTS.glob("*.json"))]
    if not files:
        raise FileNotFoundError(f"expected transcripts in {TRANSCRIPTS}, found none")
    own = {last_user_message(file["request"]): file["reply"] for file in files}
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def script(body: Body, number: int) -> str:
        if reply := own.get(last_user_message(body)):
            return str(reply)
        kind = asks_for(body)
        replies = [file["reply"] for file in files if file["kind"] == kind]
        if not replies:
            return LESSON
        with lock:
            turn = counts[kind]
            counts[kind] += 1
        said = "\n".join(message["content"] for message in body["messages"])
        fitting = [reply for reply in replies if all(block in said for block in _SEARCH.findall(reply))]
        choice = fitting or replies
        return str(choice[turn % len(choice)])

    return script


def _always(answer: Answer) -> Callable[[], Script]:
    return lambda: in_turn(answer)


SCRIPTS: dict[str, Callable[[], Script]] = {
    "kernels": kernels,
    "transcripts": transcripts,
    **{name: _always(answer) for name, answer in FAILURES.items()},
    **{name: _always(Answer(text)) for name, text in REPLIES.items()},
}
"""What ``python -m tests.llm_server --script NAME`` serves."""
