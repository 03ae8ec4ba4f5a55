from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a configuration, relative, so that messages are the same everywhere."""
    monkeypatch.chdir(tmp_path)
    return Path("run.yaml")
