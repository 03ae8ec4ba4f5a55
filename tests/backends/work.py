"""Functions that workers run in the tests of backends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(number: int) -> int:
    return number * number


def slow_square(number: int) -> int:
    time.sleep(0.02 * (number % 3))
    return number * number


def die_once(flag: str) -> str:
    """Kills its worker the first time, answers the second."""
    if not Path(flag).exists():
        Path(flag).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die(_: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def fail(text: str) -> str:
    raise ValueError(text)


_held: list[bytes] = []


def hold(megabytes: int) -> int:
    """Keeps so much memory and returns the worker's process id; longer than loky waits between its checks of memory."""
    _held.append(b"x" * (megabytes << 20))
    time.sleep(1.05)
    return os.getpid()
