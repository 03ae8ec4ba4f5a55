"""Kernels called far beyond the scored sizes before they become code that somebody else compiles and runs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from qdkernel.config import Config, check_foreign, load_config
from qdkernel.core import Kernel, KernelId, cell_name
from qdkernel.errors import ConfigError, QdkernelError
from qdkernel.export.contract import Source
from qdkernel.machine import this_machine
from qdkernel.runs import Record, RunFolder
from qdkernel.search import Verifier, open_verifier

NOT_CALLED = "not called far beyond the scored sizes"
_CALLED = "called far beyond the scored sizes"


@dataclass(frozen=True)
class Exported:
    """A kernel as it is exported.

    Attributes:
        kernel: its source; of one that was called, with conditions (``#if``) replaced by what they were here.
        beyond: what is known of calls far beyond the scored sizes.
    """

    kernel: Kernel
    beyond: str = NOT_CALLED


class CallsBeyond:
    """Verifies kernels again and calls them far beyond the scored sizes, each once; a context manager.

    They are compiled as their users will compile them, and run in the contained child.

    Args:
        source: of the export; its selection may leave the calls out.
    """

    def __init__(self, source: Source) -> None:
        self._selection, self._say = source.selection, source.say
        self._verifiers: dict[Path, Verifier] = {}
        self._found: dict[tuple[Path, KernelId], Exported | None] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> CallsBeyond:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def exported(self, folder: RunFolder, record: Record, isa: str | None) -> Exported | None:
        """The kernel as it may be exported; ``None`` for one that failed, which was reported.

        Args:
            folder: the run.
            record: of its log, with the kernel.
            isa: the level that the run's kernels are compiled for; ``None``: by the run's flags.

        Raises:
            ConfigError: kernels of this run cannot be called here, or the folder names a compiler or flags that only
                ``trust`` accepts.
        """
        key = folder.path, record.proposal.kernel.id
        if key not in self._found:
            self._found[key] = self._make(folder, record, isa)
        return self._found[key]

    def _make(self, folder: RunFolder, record: Record, isa: str | None) -> Exported | None:
        kernel, cell = record.proposal.kernel, record.evaluation.cell
        config = _as_exported(folder, isa)
        if not self._selection.trust:
            check_foreign(config, (), folder.path)
        if self._selection.unchecked:
            return Exported(kernel)
        name = f"kernel {kernel.id[:12]}" + (f", {cell_name(cell)}," if cell else "") + f" of {folder.path}"
        self._say(f"{name} is called far beyond the scored sizes")
        with _cannot_be_called(folder):
            made, text = _called(self._verifier(folder, config), kernel)
        if made is None:
            self._say(f"{name} is left out: {text}")
            return None
        return Exported(made, f"{_CALLED}; {text}" if text else _CALLED)

    def _verifier(self, folder: RunFolder, config: Config) -> Verifier:
        if folder.path not in self._verifiers:
            _must_be_of_this_machine(folder, config)
            scratch = self._open.enter_context(tempfile.TemporaryDirectory(prefix="qdkernel-export-"))
            self._verifiers[folder.path] = self._open.enter_context(open_verifier(config, Path(scratch)))
        return self._verifiers[folder.path]


def _called(verifier: Verifier, kernel: Kernel) -> tuple[Kernel | None, str]:
    """The kernel as it passed, and what was not tried; ``None`` and the reason for one that failed."""
    with tempfile.TemporaryDirectory(prefix="qdkernel-export-") as place:
        settled = verifier.settled(kernel, Path(place))
    if settled is None:
        return None, "the preprocessor cannot read it"
    with tempfile.TemporaryDirectory(prefix="qdkernel-export-") as place:
        made, text = verifier.verify(settled, Path(place))
    return (None if made is None else settled), text


def _as_exported(folder: RunFolder, isa: str | None) -> Config:
    """The run's configuration with what the export states: problem, accuracy, sizes, level and flags.

    These come from ``machine.json``; in somebody else's folder they may differ from those of ``config.yaml``.
    """
    config, facts = load_config(folder.path / "config.yaml", files_must_exist=False), folder.facts
    stated = {
        "problem": facts.problem,
        "accuracy": facts.accuracy,
        "sizes": [speed.size for speed in facts.baseline] or config.sizes,
        "compiler": config.compiler.model_copy(update={"flags": facts.flags}),
        "machine": config.machine.model_copy(update={"isa": isa}),
    }
    return config.model_copy(update=stated)


def _must_be_of_this_machine(folder: RunFolder, config: Config) -> None:
    """Raises ``ConfigError`` for kernels with other instructions than this machine's."""
    recorded, here = folder.machine.machine, this_machine(config.machine.isa)
    if recorded.arch != here.arch:
        raise ConfigError(f"they were made on {recorded.arch}, and this machine is {here.arch}")
    if config.machine.isa is None and (lacking := sorted(set(recorded.simd_widths).difference(here.simd_widths))):
        raise ConfigError(f"they may use vectors of {lacking[-1]} bits, which this machine lacks")


@contextlib.contextmanager
def _cannot_be_called(folder: RunFolder) -> Iterator[None]:
    """Adds to an error which run it is, and what can be done about it."""
    try:
        yield
    except QdkernelError as error:
        raise ConfigError(
            f"{folder.path}: its kernels cannot be called far beyond the scored sizes here: {error}; export the run on "
            "a machine that can run them, or leave these calls out with --unchecked, which the export then states"
        ) from None
