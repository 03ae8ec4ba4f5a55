"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``qdkernel`` with these arguments, and with ``environment`` added to the environment."""
    command = [sys.executable, "-m", "qdkernel", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)
