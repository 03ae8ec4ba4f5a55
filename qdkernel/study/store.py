"""What a study has so far: replies and verdicts, a line of JSON each, appended as they come."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from qdkernel.core import write_atomically
from qdkernel.errors import RunFolderError
from qdkernel.llm import CallFailed, Completion, Message, TokenUsage
from qdkernel.rewards import Verdict
from qdkernel.search import Usage


@dataclass(frozen=True, order=True)
class Question:
    """One request of a study; the reference kernel of a problem has no way and no model."""

    problem: str
    way: str = ""
    model: str = ""
    sample: int = 0


class Store:
    """The folder of a study, open for one process; its methods may be called from several threads.

    Args:
        folder: made when it is missing.

    Raises:
        RunFolderError: another process has it open, it cannot be written, or a line is not what a study wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.replies: dict[Question, str] = {}
        self.verdicts: dict[Question, Verdict] = {}
        self.spent = Usage()
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._replies = _opened(folder / "replies.jsonl")
            self._verdicts = _opened(folder / "verdicts.jsonl")
        except OSError as error:
            raise RunFolderError(f"{folder}: a study cannot be kept there: {error.strerror}") from error
        for line in _lines(self._replies):
            self.spent += Usage(line["requests"], line["tokens"], line["usd"])
            if line["reply"] is not None:
                self.replies[_question(line)] = line["reply"]
        for line in _lines(self._verdicts):
            self.verdicts[_question(line)] = Verdict.from_json(line["verdict"])

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._replies.close()
        self._verdicts.close()

    def add_reply(self, question: Question, messages: tuple[Message, ...], completion: Completion) -> None:
        """Keeps a reply, with what was asked and what it cost."""
        cost = _cost(completion.attempts, completion.usage)
        prompt = [asdict(message) for message in messages]
        with self._lock:
            line = {**asdict(question), **cost, "prompt": prompt, "reply": completion.text}
            _append(self._replies, {**line, "finish_reason": completion.finish_reason})
            self.replies[question] = completion.text

    def add_failure(self, question: Question, failure: CallFailed) -> None:
        """Keeps what a failed request cost."""
        with self._lock:
            cost = _cost(failure.attempts, failure.usage)
            _append(self._replies, {**asdict(question), **cost, "reply": None, "failure": failure.kind.value})

    def take_reply(self, question: Question, reply: str) -> None:
        """Keeps a reply of another study, which cost nothing here."""
        with self._lock:
            _append(self._replies, {**asdict(question), **_cost(0, TokenUsage()), "reply": reply})
            self.replies[question] = reply

    def add_verdict(self, question: Question, verdict: Verdict) -> None:
        """Keeps a verdict."""
        with self._lock:
            _append(self._verdicts, {**asdict(question), "verdict": verdict.to_json()})
            self.verdicts[question] = verdict

    def settle(self, name: str, facts: Mapping[str, Any], advice: str) -> None:  # Any: JSON
        """Keeps facts that all of a study shares, or compares them with those of its first session.

        Args:
            name: of the file.
            facts: JSON values.
            advice: what to do when they differ.

        Raises:
            RunFolderError: they differ; the message names the first difference.
        """
        path = self.folder / name
        if not path.exists():
            write_atomically(path, (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode())
            return
        before, now = json.loads(path.read_text(encoding="utf-8")), json.loads(json.dumps(facts))
        for key in sorted({*before, *now}):
            if before.get(key) != now.get(key):
                begun = f"the study was begun with {key} {before.get(key)!r}, now it is {now.get(key)!r}"
                raise RunFolderError(f"{path}: {begun}; {advice}")


def _cost(requests: int, usage: TokenUsage) -> dict[str, float]:
    return {"requests": requests, "tokens": usage.tokens, "usd": usage.cost}


def _question(line: Mapping[str, Any]) -> Question:
    return Question(line["problem"], line["way"], line["model"], line["sample"])


def _opened(path: Path) -> BinaryIO:
    """The file, for this process only, without the half of a line that a killed process left."""
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RunFolderError(f"{path.parent}: another process works on this study; wait for it, or end it") from None
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.truncate(whole)
    return file


def _lines(file: BinaryIO) -> Iterator[dict[str, Any]]:
    file.seek(0)
    for number, text in enumerate(file, 1):
        try:
            line = json.loads(text)
            _question(line)
        except (ValueError, KeyError, TypeError):
            raise RunFolderError(f"{file.name}:{number}: expected a line that a study wrote; remove it") from None
        yield line


def _append(file: BinaryIO, line: Mapping[str, Any]) -> None:
    file.write(json.dumps(line, ensure_ascii=True).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
