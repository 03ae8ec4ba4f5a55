"""A configuration of several runs: ``problems`` in place of ``problem``, every other key as in a run's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qdkernel.config.load import load_config
from qdkernel.config.model import Config
from qdkernel.config.overrides import OverrideMistake, override
from qdkernel.errors import ConfigError
from qdkernel.strict_yaml import Plain, parse_yaml

EVERY = "all"
"""``problems: all``."""


def series_problems(path: Path, overrides: Sequence[str] = ()) -> tuple[str, ...] | None:
    """The problems of a series, ``("all",)`` for every one of the library; ``None`` for the configuration of a run.

    A file that cannot be read is taken for a run's, whose loading reports what is wrong with it.

    Raises:
        ConfigError: ``problems`` is neither ``all`` nor a list of names without repetition.
    """
    try:
        data = parse_yaml(path.read_text(encoding="utf-8")).value
    except (OSError, UnicodeDecodeError):
        return None
    if not isinstance(data, dict) or "problems" not in data:
        return None
    try:
        for text in overrides:
            if _is_about_problems(text):
                override(data, text, {})
    except OverrideMistake as error:
        raise ConfigError(str(error)) from None
    names = data["problems"]
    if names == EVERY:
        return (EVERY,)
    if not _is_list_of_names(names):
        raise ConfigError(f"{path}: problems: expected all, or a list of names, each once, got {names!r:.80}")
    return tuple(map(str, names))


def _is_list_of_names(names: Plain) -> bool:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return False
    return len(set(names)) == len(names)


def load_member(path: Path, problem: str, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a series' run for one problem.

    Raises:
        ConfigError: as of ``load_config``.
    """
    others = [text for text in overrides if not _is_about_problems(text)]
    return load_config(path, others, problem=problem)


def _is_about_problems(text: str) -> bool:
    return text.partition("=")[0].strip() == "problems"
