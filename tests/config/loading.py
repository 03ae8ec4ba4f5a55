"""Configurations as texts: loaded, or refused with complaints."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.config import BudgetConfig, Config, ModelConfig, load_config
from qdkernel.errors import ConfigError

LEAST = "problem: dgemm\nbudget: {minutes: 3}\n"
LOCAL = "http://localhost:8000/v1"
SECRET = "sk-proj-q8Zx1T7vB3nM5kL9wR2yD4fG6hJ0"


def loaded(path: Path, text: str, *overrides: str) -> Config:
    """The configuration in a text, written to ``path``."""
    path.write_text(text, encoding="utf-8")
    return load_config(path, overrides)


def complaints(path: Path, text: str, *overrides: str) -> list[str]:
    """What is wrong with a text, a line each."""
    with pytest.raises(ConfigError) as caught:
        loaded(path, text, *overrides)
    return str(caught.value).splitlines()


def listed(*models: ModelConfig, **others: object) -> Config:
    """A configuration with these models."""
    return Config.model_validate({"problem": "dgemm", "budget": BudgetConfig(minutes=3), "models": models, **others})
