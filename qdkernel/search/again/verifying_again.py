"""Kernels of a run verified again on this machine, also far beyond the scored sizes; nothing is timed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from qdkernel.config import Config
from qdkernel.core import Kernel
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationContext, EvaluationSpec, verify_only
from qdkernel.evaluators.source import needs_preprocessor, refuse_bytes, tokenize_c
from qdkernel.machine import this_machine
from qdkernel.search.environment import resolve_sizes


@dataclass(frozen=True)
class Verifier:
    """Verifies kernels of one run in the contained child.

    Attributes:
        context: compiles and runs them.
        sizes: the scored ones.
    """

    context: EvaluationContext
    sizes: tuple[Mapping[str, int], ...]

    def verify(self, kernel: Kernel, folder: Path) -> tuple[Path | None, str]:
        """Verifies a kernel and calls it far beyond the scored sizes: seconds to a minute.

        Args:
            kernel: of the run.
            folder: an empty one, to compile in.

        Returns:
            Its shared object and what was not tried; ``None`` and the reason for a kernel that fails.

        Raises:
            ContainmentError: this machine cannot contain the kernel; nothing was run.
        """
        return verify_only(self.context, kernel, folder, self.sizes)

    def settled(self, kernel: Kernel, folder: Path) -> Kernel | None:
        """The kernel with its conditions (``#if``) as they are decided here, ``None`` where that cannot be had.

        No rule applies to lines that are not compiled here, so nobody who is given the kernel may compile them.

        Args:
            kernel: of the run.
            folder: an empty one.
        """
        source = kernel.source.removeprefix("\ufeff")
        if refuse_bytes(source.encode("utf-8", "surrogateescape"), self.context.problem.name):
            return None
        if not needs_preprocessor(tokenize_c(source)):
            return kernel
        preprocessed = self.context.preprocess(source, folder)
        return None if preprocessed is None else Kernel(preprocessed.settled)


@contextlib.contextmanager
def open_verifier(config: Config, scratch: Path) -> Iterator[Verifier]:
    """What verifies the kernels of a run, which may have been made on another machine.

    Args:
        config: of the run: problem, sizes, compiler, flags and instruction-set level. Its compiler will run, so that of
            a stranger's folder must have passed ``check_foreign``.
        scratch: an empty folder.

    Raises:
        ConfigError: the run is for an instruction-set level that this machine has not.
        ToolchainError: there is no such compiler here.
    """
    machine = this_machine(config.machine.isa)
    compile_spec = CompileSpec(config.compiler.command, machine.compiler_flags(config.compiler.flags))
    context = EvaluationContext(
        EvaluationSpec(config.problem, str(scratch), compile_spec, accuracy=config.accuracy, isa=machine.isa)
    )
    try:
        yield Verifier(context, resolve_sizes(config, context.problem, machine))
    finally:
        context.close()
