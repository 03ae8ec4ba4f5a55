"""What kernels are measured against: a library's routine, or a plain hand-written kernel."""

from __future__ import annotations

import importlib.metadata
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import KernelBaseline, LibraryBaseline, Problem
from qdkernel.errors import ToolchainError
from qdkernel.evaluators.sandbox import Executable, Layers
from qdkernel.evaluators.toolchain import Built, CompileLimits, Toolchain, build_library_adapter, compile_kernel
from qdkernel.machine import LEVELS

_PACKAGE = "scipy-openblas32"


@dataclass(frozen=True)
class Baseline:
    """A baseline ready to run; ``layers`` contain it (a library is trusted, and needs files and threads)."""

    name: str
    executable: Executable
    layers: Layers


@dataclass(frozen=True)
class BaselineChoice:
    """A library named by the user; both ``None`` for the problem's own baseline."""

    library: str | None = None
    symbol: str | None = None


def kernel_environment(threads: int) -> dict[str, str]:
    """Environment of a contained kernel: ``threads`` OpenMP threads, bound.

    Unbound, the threads of a pool were seen to share one core and to take six times as long.
    """
    return {
        "OMP_NUM_THREADS": str(threads),
        "OMP_PROC_BIND": "close",
        "OMP_PLACES": "cores",
        "OMP_DYNAMIC": "false",
        "LC_ALL": "C",
    }


def prepare_baseline(
    problem: Problem,
    choice: BaselineChoice,
    toolchain: Toolchain,
    built: Built,
    threads: int,
    scratch: Path,
    isa: str | None = None,
) -> Baseline:
    """The problem's baseline, or the library the user chose, compiled or adapted.

    At an instruction-set level OpenBLAS takes its routines for cores of that level, as it would on a weaker host.

    Raises:
        ToolchainError: the library or its package is missing, or it lacks the symbol.
    """
    if isinstance(problem.baseline, KernelBaseline):
        if choice.library:
            raise ToolchainError(
                f"baseline.library is set, but {problem.name} is measured against a kernel, not a library; remove it"
            )
        return _kernel_baseline(problem, problem.baseline, toolchain, built, threads, scratch)
    return _library_baseline(problem, problem.baseline, choice, toolchain, built, threads, isa)


def _library_baseline(
    problem: Problem,
    own: LibraryBaseline,
    choice: BaselineChoice,
    toolchain: Toolchain,
    built: Built,
    threads: int,
    isa: str | None,
) -> Baseline:
    library = Path(choice.library).absolute() if choice.library else _packaged_library()
    if not library.is_file():
        raise ToolchainError(f"baseline.library: no file {library}; give the full path of a shared library")
    symbol = choice.symbol or (own.symbol if choice.library is None else own.symbol.removeprefix("scipy_"))
    adapter = build_library_adapter(toolchain, problem.seed_source(own.adapter), library, symbol)
    # No OMP_PROC_BIND here: the runner's OpenMP would bind the main thread to one core, and a library with threads
    # of its own would inherit that core for all of them. The affinity mask given at the start does for both.
    count = str(threads)
    environment = {f"{family}_NUM_THREADS": count for family in ("OPENBLAS", "OMP", "MKL", "BLIS")} | {"LC_ALL": "C"}
    if isa is not None:
        environment["OPENBLAS_CORETYPE"] = LEVELS[isa].blas
    name = library.name if choice.library else f"OpenBLAS {importlib.metadata.version(_PACKAGE)}"
    return Baseline(name, Executable(built.runner, adapter, problem.name, environment), Layers.NONE)


def _packaged_library() -> Path:
    try:
        import scipy_openblas32
    except ImportError as error:
        raise ToolchainError(
            f"the baseline's package is missing: pip install {_PACKAGE}, or name a library with baseline.library"
        ) from error
    return Path(scipy_openblas32.get_lib_dir()) / f"lib{scipy_openblas32.get_library()}.so"


def _kernel_baseline(
    problem: Problem, own: KernelBaseline, toolchain: Toolchain, built: Built, threads: int, scratch: Path
) -> Baseline:
    folder = Path(tempfile.mkdtemp(prefix="baseline-", dir=scratch))
    made = compile_kernel(problem.seed_source(own.file), problem, toolchain, built, folder, CompileLimits())
    environment = kernel_environment(threads)
    return Baseline(own.file, Executable(built.runner, made, problem.name, environment), Layers.ALL)
