"""Lets a person or another program be the model: requests and replies are files."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path

from tests.llm_server._answer import Answer, Body, Later

_STILL_POLLS = 4  # looks at a reply that find it unchanged before it counts as written: editors write in pieces


class Bridge:
    """A script that writes each request to ``NNN.request.json`` and replies with ``NNN.reply.txt`` once it is there.

    A reply may be written in place or renamed into place; an empty file is not a reply yet. When the client hung up
    before, and then asks the same again, the request keeps its number, so the reply is not lost.

    Args:
        folder: made if missing; numbers go on after those found there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        taken = [int(match[1]) for path in folder.iterdir() if (match := re.match(r"(\d+)\.", path.name))]
        self._last = max(taken, default=0)
        self._abandoned: dict[str, list[int]] = {}

    def __call__(self, body: Body, number: int) -> Later:
        text = json.dumps(body, indent=1, ensure_ascii=False)
        with self._lock:
            waiting = self._abandoned.get(text)
            mine = waiting.pop() if waiting else None
            if mine is None:
                self._last += 1
                mine = self._last
        self._write(mine, text)
        return Later(_Watch(self._folder / f"{mine:03}.reply.txt"), lambda: self._leave(text, mine))

    def _write(self, number: int, text: str) -> None:
        path = self._folder / f"{number:03}.request.json"
        half = path.with_suffix(".half")
        half.write_text(text + "\n", encoding="utf-8", errors="replace")
        os.replace(half, path)
        print(f"{path.name} waits for {number:03}.reply.txt", file=sys.stderr, flush=True)

    def _leave(self, text: str, number: int) -> None:
        with self._lock:
            self._abandoned.setdefault(text, []).append(number)


class _Watch:
    """Reads a file once it has stopped changing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._still = 0

    def __call__(self) -> Answer | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        state = (found.st_size, found.st_mtime_ns)
        self._still = self._still + 1 if state == self._seen else 0
        self._seen = state
        if not found.st_size or self._still < _STILL_POLLS:
            return None
        return Answer(self._path.read_text(encoding="utf-8", errors="replace"))
