"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess

from tests.forked import run_forked


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``qdkernel`` with these arguments, and with ``environment`` added to the environment."""
    return run_forked(arguments, {**os.environ, **environment})
