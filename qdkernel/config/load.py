"""Configuration of a run: YAML file and ``--set`` values to one strict, frozen ``Config``, and back."""

from __future__ import annotations

import copy
import difflib
import json
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qdkernel.config.compiler import CompilerConfig
from qdkernel.config.environment import resolve_models
from qdkernel.config.llm import LlmConfig, ModelConfig, PriceConfig
from qdkernel.config.messages import complaints, path_text
from qdkernel.config.model import (
    BaselineConfig,
    BudgetConfig,
    Config,
    LimitsConfig,
    MachineConfig,
    MutatorConfig,
    SelectionConfig,
    TimingConfig,
)
from qdkernel.config.operators import check_operators
from qdkernel.config.overrides import OverrideMistake, override, without_secrets
from qdkernel.config.stages import StageConfig, UntilConfig
from qdkernel.errors import ConfigError
from qdkernel.strict_yaml import EntryPath, Plain, dump_yaml, parse_yaml

__all__ = [
    "BaselineConfig",
    "BudgetConfig",
    "CompilerConfig",
    "Config",
    "LimitsConfig",
    "LlmConfig",
    "MachineConfig",
    "ModelConfig",
    "MutatorConfig",
    "PriceConfig",
    "SelectionConfig",
    "StageConfig",
    "TimingConfig",
    "UntilConfig",
    "check_operators",
    "config_schema",
    "dump_config",
    "load_config",
    "resolve_models",
]

MAX_BYTES = 1 << 20  # heuristic: configurations written by hand have a few KiB; more is the wrong file
AFTER_THE_FILE = MAX_BYTES + 1  # more lines than a file can have: mistakes in --set values are listed last
SHIPPED = Path(__file__).resolve().parents[2] / "configs"  # of a checkout; a wheel has none


def load_config(
    given: Path | Mapping[str, Plain],
    overrides: Sequence[str] = (),
    *,
    files_must_exist: bool = True,
    problem: str | None = None,
) -> Config:
    """The configuration in a YAML file, or in plain values, with ``--set`` values applied, its paths made absolute.

    Relative paths in a file count from the file's folder, all others from the current one.

    Args:
        given: the YAML file, or what such a file would hold.
        overrides: ``path=value`` texts, applied in order, e.g. ``budget.minutes=1``.
        files_must_exist: whether seeds and the baseline library must be there; read-only commands need neither.
        problem: of the run, where the file is of a series and lists ``problems``.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or does not fit; one line per mistake, each with its file
            and line (or ``--set`` text), the entry's path, what was expected and what came.
    """
    source = _read_source(given) if isinstance(given, Path) else _Source(None, copy.deepcopy(dict(given)), {(): 1})
    for text in overrides:
        source.override(text)
    if problem is not None:
        source.data.pop("problems", None)
        source.data["problem"] = problem
    try:
        config: Config | None = Config.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        config = None
        for entry, complaint in complaints(error.errors(include_url=False), source.data).items():
            source.complain(entry, complaint)
    if config is not None:
        config = _with_absolute_paths(config, source, files_must_exist)
    if config is None or source.mistakes:
        raise ConfigError("\n".join(text for _, text in sorted(source.mistakes, key=operator.itemgetter(0))))
    return config


def dump_config(config: Config) -> str:
    """YAML text with every key written out; loading it gives an equal configuration."""
    return "# The resolved configuration of this run.\n" + dump_yaml(config.model_dump(mode="json"))


def config_schema() -> dict[str, Any]:  # Any: JSON
    """JSON Schema (draft 2020-12) of a configuration file, with a sentence on every key."""
    return Config.model_json_schema()


@dataclass
class _Source:
    """The plain data of a configuration, where each part came from, and the mistakes met so far, with their lines."""

    file: Path | None
    data: dict[str, Plain]
    lines: Mapping[EntryPath, int]
    faulty: set[EntryPath] = field(default_factory=set)
    mistakes: list[tuple[int, str]] = field(default_factory=list)
    set_by: dict[EntryPath, str] = field(default_factory=dict)

    def override(self, text: str) -> None:
        try:
            entry = override(self.data, text, _defaults())
        except OverrideMistake as mistake:
            self.mistakes.append((AFTER_THE_FILE, str(mistake)))
            return
        self.set_by.pop(entry, None)  # the last one counts, also in order
        self.set_by[entry] = text

    def overriding_text(self, entry: EntryPath) -> str | None:
        """The last ``--set`` text that gave ``entry``, something around it or something inside it."""
        near = [set_ for set_ in self.set_by if set_[: len(entry)] == entry[: len(set_)]]
        inside_only = entry in self.lines and all(len(set_) > len(entry) for set_ in near)
        return None if not near or inside_only else self.set_by[near[-1]]

    def complain(self, entry: EntryPath, text: str) -> None:
        overriding = self.overriding_text(entry) if entry else None
        if overriding is not None:
            where, line = f"--set {without_secrets(overriding)}", AFTER_THE_FILE
        elif entry in self.faulty:
            return  # its value is a placeholder for text that could not be read
        else:
            line = self._line(entry)
            where = f"{self.file}:{line}" if self.file else ""
        self.mistakes.append((line, _join(where, path_text(entry), text)))

    def _line(self, entry: EntryPath) -> int:
        while entry not in self.lines:
            entry = entry[:-1]
        return self.lines[entry]

    def folder(self, entry: EntryPath) -> Path:
        """What a relative path at ``entry`` counts from."""
        if self.file is None or self.overriding_text(entry) is not None:
            return Path.cwd()
        return self.file.absolute().parent


def _join(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _defaults() -> dict[str, Plain]:
    """Every top-level key that has a default, with it, in plain values."""
    complete: dict[str, Plain] = Config(problem="any", budget=BudgetConfig(evaluations=1)).model_dump(mode="json")
    return {key: value for key, value in complete.items() if key not in ("problem", "budget")}


def _read_source(path: Path) -> _Source:
    document = parse_yaml(_read_text(path))
    if isinstance(document.value, dict):
        source = _Source(path, document.value, document.lines)
        for fault in document.faults:
            source.faulty.add(fault.path)
            source.mistakes.append((fault.line, _join(f"{path}:{fault.line}", path_text(fault.path), fault.text)))
        return source
    if document.faults:
        raise ConfigError("\n".join(f"{path}:{fault.line}: {fault.text}" for fault in document.faults))
    if document.value is None:
        raise ConfigError(
            f"{path}:1: the file is empty; the least is two lines: `problem: dgemm`, `budget: {{minutes: 3}}`"
        )
    kind = "a list" if isinstance(document.value, list) else f"{str(document.value)[:60]!r}"
    raise ConfigError(f"{path}:1: expected keys with values, e.g. `problem: dgemm`, got {kind}")


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_shipped_hint(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: expected a YAML file, got a folder{_shipped_hint(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read ({reason}); check the path and its permissions") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES >> 10} KiB, so not a configuration; check the path")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save the file in UTF-8") from None


def _shipped_hint(path: Path) -> str:
    """What to write instead, from the configurations at hand."""
    folder = next((folder for folder in (Path("configs"), SHIPPED) if folder.is_dir()), None)
    shipped = sorted(folder.glob("*.yaml")) if folder else []
    if not shipped:
        return "; give the path of a YAML file (`qdkernel config schema` prints what may stand in it)"
    by_stem = {file.stem: file for file in shipped}
    near = difflib.get_close_matches(path.stem, by_stem, n=1)
    question = f"; did you mean {by_stem[near[0]]}?" if near else ";"
    return f"{question} (shipped: {', '.join(map(str, shipped))})"


def _with_absolute_paths(config: Config, source: _Source, must_exist: bool) -> Config:
    resolved: dict[EntryPath, Path] = {}
    for entry, given in _paths(config):
        resolved[entry] = source.folder(entry) / os.path.expanduser(given)
        there = resolved[entry].is_file() or (entry[0] == "seeds" and resolved[entry].is_dir())
        if must_exist and not there:
            source.complain(entry, f"expected a file, got {str(given)!r}, and {resolved[entry]} is not one")
    problem = config.problem
    if "/" in problem:
        problem = os.path.abspath(source.folder(("problem",)) / os.path.expanduser(problem))
        if must_exist and not os.path.isdir(problem):
            source.complain(("problem",), f"expected a problem's folder, got {config.problem!r}, and {problem} is none")
    seeds = tuple(path for entry, path in resolved.items() if entry[0] == "seeds")
    baseline = config.baseline.model_copy(update={"library": resolved.get(("baseline", "library"))})
    return config.model_copy(update={"problem": problem, "seeds": seeds, "baseline": baseline})


def _paths(config: Config) -> Iterator[tuple[EntryPath, Path]]:
    yield from ((("seeds", index), seed) for index, seed in enumerate(config.seeds))
    if config.baseline.library is not None:
        yield ("baseline", "library"), config.baseline.library
