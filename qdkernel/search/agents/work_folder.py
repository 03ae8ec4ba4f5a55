"""The folder in which an agent works: what it is given, and what is read from it without following its links."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from qdkernel.core import cell_name, printable
from qdkernel.mutators import Brief

KERNEL, NOTES, TASK, SPENT = "kernel.c", "NOTES.md", "TASK.md", "spent_usd"
REQUESTS, REPLIES = "requests", "replies"
_NEIGHBOURS = 3
_NOTES_BYTES = 16 << 10
_CHECK = """#!/bin/sh
# ./check [FILE]: compiles, verifies and times FILE (kernel.c); prints what `qdkernel check --json` does, and ends with
# its exit code: 0 for a correct kernel.
number=$$-$(date +%s%N)
cp "${1:-kernel.c}" requests/$number.part && mv requests/$number.part requests/$number.c || exit 2
while [ ! -f replies/$number.code ]; do sleep 0.1; done
cat replies/$number.json
exit "$(cat replies/$number.code)"
"""


class WorkFolder:
    """The files of one session.

    Descriptors of the folder and of its subfolders are opened before the agent starts: whatever it puts in their
    places, what is read and written later is in them, and no link is followed.

    Args:
        path: an empty folder.
        brief: parent, neighbours and target.
        task: the text of TASK.md.
        notes: of earlier sessions.
    """

    def __init__(self, path: Path, brief: Brief, task: str, notes: str) -> None:
        assert brief.parent is not None  # sessions begin with an elite
        self.path = path
        for name in (REQUESTS, REPLIES, "neighbours", "tmp"):
            (path / name).mkdir()
        (path / KERNEL).write_text(brief.parent.kernel.source, encoding="utf-8", errors="surrogateescape")
        (path / TASK).write_text(task, encoding="utf-8")
        (path / NOTES).write_text(notes, encoding="utf-8")
        check = path / "check"
        check.write_text(_CHECK)
        check.chmod(0o755)
        others = sorted(brief.elites.values(), key=lambda elite: -elite.objective)
        shown = [elite for elite in others if elite.kernel.id != brief.parent.kernel.id][:_NEIGHBOURS]
        for elite in shown:
            name = cell_name(elite.cell).replace("/", "-")
            source = elite.kernel.source.encode("utf-8", "surrogateescape")
            (path / "neighbours" / f"{name}.c").write_bytes(source)
        self._folder_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self._requests_fd = os.open(path / REQUESTS, os.O_RDONLY | os.O_DIRECTORY)
        self._replies_fd = os.open(path / REPLIES, os.O_RDONLY | os.O_DIRECTORY)

    def kernel(self, most_bytes: int) -> str | None:
        """What ``kernel.c`` holds; ``None`` when it is no regular file, is empty or has more than ``most_bytes``.

        Bytes that are not UTF-8 are kept, for the source policy to refuse.
        """
        data = _read(self._folder_fd, KERNEL, most_bytes)
        return data.decode("utf-8", "surrogateescape") if data else None

    def notes(self) -> str:
        """What the agent noted for later sessions, at most 16 KiB; control characters are taken out."""
        data = _read(self._folder_fd, NOTES, _NOTES_BYTES) or b""
        return printable(data.decode("utf-8", "replace"), keep="\n\t")

    def spent_usd(self) -> float | None:
        """The US dollars that the agent reports as spent; ``None`` when the report is missing or not a number."""
        data = _read(self._folder_fd, SPENT, 64)
        with contextlib.suppress(ValueError):
            value = float((data or b"").decode("ascii", "replace"))
            return value if 0 <= value < float("inf") else None
        return None

    def take_request(self, most_bytes: int) -> tuple[str, bytes] | None:
        """Name and content of a kernel that the agent has submitted for a check; the request is removed."""
        for name in sorted(os.listdir(self._requests_fd)):
            if name.endswith(".c"):
                data = _read(self._requests_fd, name, most_bytes)
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._requests_fd)
                return name.removesuffix(".c"), data or b""
        return None

    def reply(self, name: str, text: str, code: int) -> None:
        """Answers a request; the exit code is written last, as the agent waits for it."""
        for ending, content in (("json", text), ("code", str(code))):
            with contextlib.suppress(OSError):  # the agent has put something else there, and waits in vain
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                fd = os.open(f"{name}.{ending}.new", flags, 0o644, dir_fd=self._replies_fd)
                with os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(content)
                os.rename(
                    f"{name}.{ending}.new",
                    f"{name}.{ending}",
                    src_dir_fd=self._replies_fd,
                    dst_dir_fd=self._replies_fd,
                )

    def close(self) -> None:
        """Closes the descriptors."""
        for fd in (self._folder_fd, self._requests_fd, self._replies_fd):
            os.close(fd)


def _read(folder_fd: int, name: str, most_bytes: int) -> bytes | None:
    """A regular file of a folder; ``None`` for a link, a pipe, nothing, or more than ``most_bytes``."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder_fd)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        data = file.read(most_bytes + 1)
    return data if len(data) <= most_bytes else None
