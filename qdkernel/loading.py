"""A verified elite as a Python function on numpy arrays."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cffi

from qdkernel.config import check_foreign, load_config
from qdkernel.core import (
    Array,
    ArrayArgument,
    Case,
    Kernel,
    Problem,
    cell_name,
    complete_call,
    lowest_address,
    parse_cell,
    parse_prototype,
)
from qdkernel.errors import QdkernelError, RunFolderError
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.sandbox import BufferAlignment, ChildFailed, Layout, MemoryFile, Region
from qdkernel.evaluators.toolchain import Toolchain, load_module
from qdkernel.runs import RunFolder, elites
from qdkernel.search import open_verifier

Call = Callable[[Case, Mapping[str, Array]], None]
"""Calls a kernel: ``call(case, arrays by name)``."""

_LIBRARIES = ("libgomp.so.1", "libm.so.6")  # what a kernel may call; it is linked without naming them


class LoadedKernel:
    """A kernel on numpy arrays: ``kernel(A, B, C, alpha=1.0, beta=0.0)`` for dgemm.

    Arrays come in the prototype's order, a single value passed by pointer as an array of shape (); sizes and strides
    are read off them. The other scalars are keywords, with the values of the scored case as defaults.

    May be called from any thread. Kernels may keep buffers in static memory, so calls wait for each other; one that was
    loaded with ``per_thread`` has such memory for each thread, and its calls run at the same time.

    Attributes:
        problem: what it computes.
        source: its C text.
        cell: its name, e.g. ``packed/512/static/none``.
    """

    def __init__(self, problem: Problem, source: str, cell: str, call: Call) -> None:
        self.problem = problem
        self.source = source
        self.cell = cell
        self._call = call

    def __call__(self, *arrays: Array, **scalars: float) -> None:
        """Computes in place: arrays the problem writes are changed.

        Raises:
            TypeError: the wrong number of arrays, a wrong dtype, or an unknown or missing scalar.
            ValueError: shapes that do not agree, strides that the prototype cannot express, an index out of range, a
                read-only or overlapping output.
        """
        case = complete_call(self.problem, arrays, scalars)
        self._call(case, {argument.name: array for argument, array in zip(self.problem.arrays, arrays, strict=True)})

    def __repr__(self) -> str:
        return f"<qdkernel {self.problem.name} {self.cell}>"


class _InProcess:
    """Calls in this process, of one copy of the object or of one for each thread."""

    def __init__(self, problem: Problem, module: Any, shared_object: bytes, per_thread: bool) -> None:
        self._problem = problem
        self._module = module
        self._object = shared_object
        self._own = threading.local() if per_thread else None
        self._copy = _Copy(problem, module, shared_object)  # also shows at once that it can be opened
        self._calls: contextlib.AbstractContextManager[object] = (
            contextlib.nullcontext() if per_thread else threading.Lock()
        )

    def __call__(self, case: Case, given: Mapping[str, Array]) -> None:
        passed = [
            self._module.ffi.cast("void *", lowest_address(given[argument.name]))
            if isinstance(argument, ArrayArgument)
            else case[argument.name]
            for argument in self._problem.arguments
        ]
        with self._calls:  # a call releases the interpreter's own lock
            self._mine().function(*passed)

    def _mine(self) -> _Copy:
        """The copy of the object that this thread calls."""
        if self._own is None:
            return self._copy
        if not hasattr(self._own, "copy"):
            self._own.copy = _Copy(self._problem, self._module, self._object)
        copy: _Copy = self._own.copy
        return copy


class _Contained:
    """Calls in a contained child, a new one for each call; only the contents of written arrays come back."""

    def __init__(self, context: EvaluationContext, made: Path) -> None:
        self._context = context
        folder = tempfile.mkdtemp(prefix="qdkernel-load-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)  # when the kernel can be called no more
        self._object = Path(shutil.copy(made, folder))

    def __call__(self, case: Case, given: Mapping[str, Array]) -> None:
        context = self._context
        layout = Layout(context.problem, [(case, BufferAlignment.FRONT)])
        inputs, outputs = MemoryFile("inputs", layout.input_bytes), MemoryFile("outputs", layout.output_bytes)
        views = {
            placed.argument.name: layout.view(outputs if placed.region is Region.OUTPUT else inputs, placed)
            for placed in layout.calls[0].arrays
        }
        try:
            for name, view in views.items():
                view[...] = given[name]
            with context.start(self._object, layout, inputs, outputs, context.verify_threads[-1]) as child:
                child.run(0, 1, context.spec.run.run_s, freeze=True)
        except ChildFailed as error:
            raise QdkernelError(f"the kernel failed in its contained child ({error}); no array was changed") from None
        finally:
            inputs.close()
            outputs.close()
        for argument in context.problem.arrays:
            if argument.is_written:
                given[argument.name][...] = views[argument.name]


class _Copy:
    """A shared object opened once more, with static memory of its own: the loader identifies objects by their file."""

    def __init__(self, problem: Problem, module: Any, shared_object: bytes) -> None:
        ffi = cffi.FFI()
        ffi.cdef(problem.prototype.rstrip().rstrip(";") + ";")
        with tempfile.NamedTemporaryFile(prefix="qdkernel-load-", suffix=".so") as file:
            file.write(shared_object)
            file.flush()
            self._library = ffi.dlopen(file.name, ffi.RTLD_NOW)  # open as long as the function can be called
        address = int(ffi.cast("uintptr_t", getattr(self._library, problem.name)))
        self.function: Callable[..., None] = partial(module.lib.qd_call, module.ffi.cast("void *", address))


def load(
    run: str | os.PathLike[str],
    cell: str | None = None,
    *,
    per_thread: bool = False,
    contained: bool = False,
    trust: bool = False,
) -> LoadedKernel:
    """The best elite of a run, or the elite of one cell, compiled and verified again on this machine.

    It is verified in the contained child, also far beyond the scored sizes: seconds to a minute. Then it is loaded
    into this process, where it runs uncontained: loading an elite runs its code, with the rights of this process. Load
    only from folders that you made or trust, or ``contained``: then every call runs in a contained child of its own,
    which takes 10 to 50 ms and copies the arrays.

    Args:
        run: a run folder.
        cell: e.g. ``packed/512/static/none``.
        per_thread: load a copy for each thread that calls it, so that calls need not wait for each other.
        contained: call it in the contained child, for kernels of strangers.
        trust: accept whatever compiler, flags and library the folder names; otherwise gcc or cc by name and harmless
            flags only.

    Raises:
        RunFolderError: no such run or elite.
        ConfigError: the run is for an instruction-set level that this machine has not, or the folder names a compiler,
            a flag or a library that only ``trust`` accepts.
        QdkernelError: the kernel does not pass here, e.g. as an instruction set is missing.
    """
    with RunFolder.open(Path(run)) as folder:
        config = load_config(folder.path / "config.yaml", files_must_exist=False)
        if not trust:
            check_foreign(config, (), folder.path)
        holders = elites(folder.evaluations.records())
    if not holders:
        raise RunFolderError(f"{run} has no elite to load; let it run longer")
    if cell is None:
        at = max(holders, key=lambda c: holders[c].evaluation.objective or 0.0)
    else:
        at = parse_cell(cell)
        if at not in holders:
            raise RunFolderError(f"the cell {cell} of {run} is empty; qdkernel show {run} lists the filled ones")
    source = holders[at].source
    with (
        tempfile.TemporaryDirectory(prefix="qdkernel-load-") as scratch,
        open_verifier(config, Path(scratch)) as verifier,
    ):
        context, problem = verifier.context, verifier.context.problem
        made, complaint = verifier.verify(Kernel(source), Path(scratch))
        if made is None:
            raise QdkernelError(f"the elite {cell_name(at)} of {run} does not pass on this machine: {complaint}")
        if contained:
            return LoadedKernel(problem, source, cell_name(at), _Contained(context, made))
        return _open(context.toolchain, problem, source, cell_name(at), made, per_thread)


def _open(toolchain: Toolchain, problem: Problem, source: str, cell: str, made: Path, per_thread: bool) -> LoadedKernel:
    """Opens a verified object here; calls go through an extension module, the same for all kernels of a problem."""
    ffi = cffi.FFI()
    for library in _LIBRARIES:
        ffi.dlopen(library, ffi.RTLD_NOW | ffi.RTLD_GLOBAL)
    module = load_module(toolchain, f"_qd_call_{problem.name}", *_caller(problem))
    return LoadedKernel(problem, source, cell, _InProcess(problem, module, made.read_bytes(), per_thread))


def _caller(problem: Problem) -> tuple[str, str]:
    """Declaration and C text of ``qd_call``, which calls a kernel by its address through the exact prototype.

    For ``void f(int n, double *x)`` the text reads::

        void qd_call(void *kernel, int n, double *x)
        {
            ((void (*)(int, double *))kernel)(n, x);
        }
    """
    parameters = parse_prototype(problem.prototype).parameters
    declared = ", ".join(f"{p.c_type} {p.name}" for p in parameters)
    types, names = ", ".join(p.c_type for p in parameters), ", ".join(p.name for p in parameters)
    head = f"void qd_call(void *kernel, {declared})"
    return f"{head};", f"#include <stdint.h>\n{head}\n{{\n    ((void (*)({types}))kernel)({names});\n}}\n"
