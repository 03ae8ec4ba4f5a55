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
