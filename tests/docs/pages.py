"""The Python of a page in docs/, run as a test file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT

_FILE = re.compile(r"`\w+/(\S+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def files_of(page: str) -> dict[str, str]:
    """The texts of a page's example by file name: blocks after a line that ends in the path of a file."""
    return dict(_FILE.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))


def run_python_of(page: str, folder: Path) -> None:
    """Joins the page's Python blocks to one test file and runs it; fails when a test fails or there is none."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    file = folder / f"test_{page.removesuffix('.md').replace('-', '_')}.py"
    file.write_text("\n\n".join(blocks), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
