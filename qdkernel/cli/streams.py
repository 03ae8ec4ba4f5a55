"""The standard streams: usable before a command runs, complete after it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO


def usable_streams() -> bool:
    """Makes sure that the standard streams can be written to; false, with a message, where output would be lost.

    A descriptor that is closed would be given to the next file that is opened, and be written to. A character that the
    encoding of standard output lacks is shown as ``?``.
    """
    if sys.stderr is None:  # closed by the user: no messages
        sys.stderr = _opened_null(2)
    if sys.stdin is None:
        sys.stdin = _opened_null(0)
    if sys.stdout is None:
        sys.stdout = _opened_null(1)
        complain("standard output is closed; redirect it to a file, or to /dev/null if you do not want it")
        return False
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    return True


def _opened_null(wanted: int) -> TextIO:
    """The null device under the number of a standard stream that is closed."""
    found = os.open(os.devnull, os.O_RDWR)
    if found != wanted:
        os.dup2(found, wanted)
        os.close(found)
    return open(wanted, "r" if wanted == 0 else "w", encoding="utf-8")


def complain(text: str) -> None:
    """Prints a message to standard error, where that can be written to; what it quotes is made printable."""
    from qdkernel.core import printable  # not at the top: most commands print no message, and start faster without

    with contextlib.suppress(OSError):
        print(f"qdkernel: {printable(text, keep=chr(10))}", file=sys.stderr)


def abandon(stream: TextIO) -> None:
    """Closes a stream that may not take what is still in its buffer; Python would complain while shutting down."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
