"""Processors on which a thread may run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def running_on(cores: tuple[int, ...]) -> Iterator[None]:
    """This thread, and what it starts meanwhile, on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
