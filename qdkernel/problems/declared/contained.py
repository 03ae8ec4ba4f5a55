"""A user's C reference, compiled by the contained compiler and called in a contained child that is kept."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qdkernel.core import Array
from qdkernel.errors import ConfigError
from qdkernel.evaluators.sandbox import (
    DECLARATIONS,
    BufferAlignment,
    Child,
    ChildFailed,
    Executable,
    Layout,
    Limits,
    MemoryFile,
    Native,
)
from qdkernel.evaluators.toolchain import (
    CompileError,
    CompileLate,
    CompileLimits,
    build_native,
    compile_kernel,
    find_toolchain,
    load_module,
)
from qdkernel.problems.declared.reference import CALL_S, MEMORY_MB, SIGNATURE, Head

_FLAGS = ("-std=gnu11", "-O2", "-fno-strict-aliasing", "-ffp-contract=off")
_CPU_S = 1 << 30  # of the child's whole life; calls have their own deadline
_WORD = 8
_ALIGNMENT = 64
_SPARE = 2  # a child is started with room for arrays this many times as large as asked for


class ContainedCaller:
    """Compiles a reference once and calls it; see ``Caller``.

    Args:
        source: C text of ``qd_reference``.

    Raises:
        ConfigError: the compiler rejects it.
    """

    def __init__(self, source: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="reference-"))
        self._drop_folder = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        toolchain = find_toolchain("gcc", _FLAGS)
        self._built = build_native(toolchain, SIGNATURE)
        self._native = Native(load_module(toolchain, "_qd_supervisor", DECLARATIONS, '#include "supervisor.c"\n'))
        try:
            self._object = compile_kernel(source, SIGNATURE, toolchain, self._built, self._folder, CompileLimits())
        except (CompileError, CompileLate) as error:
            raise ConfigError(f"the reference does not compile: {error}") from None
        self._lock = threading.Lock()
        self._arena: _Arena | None = None

    def call(self, head: Head, inputs: Mapping[int, Array], outputs: Mapping[int, Array]) -> None:
        """As ``Caller.call``.

        Raises:
            ConfigError: the reference crashed or was late.
        """
        sizes = (_packed(head, 0, inputs), _packed(head, 1, outputs))
        with self._lock:
            if self._arena is None or not self._arena.holds(*sizes):
                if self._arena is not None:
                    self._arena.close()
                self._arena = self._started(head.size, *sizes)
            try:
                self._arena.run(head, inputs, outputs)
            except ChildFailed as error:
                self._arena.close()
                self._arena = None
                raise ConfigError(f"the reference failed: {error}; correct its C") from None

    def _started(self, num_words: int, input_bytes: int, output_bytes: int) -> _Arena:
        case = {"head": num_words, "in": _SPARE * input_bytes // _WORD + 8, "out": _SPARE * output_bytes // _WORD + 8}
        layout = Layout(SIGNATURE, [(case, BufferAlignment.FRONT)])
        arena = _Arena(layout)
        executable = Executable(self._built.runner, self._object, SIGNATURE.name, {"LC_ALL": "C"})
        core = sorted(os.sched_getaffinity(0))[:1]
        limits = Limits(memory_mb=MEMORY_MB, cpu_s=_CPU_S)
        arena.child = Child(self._native, executable, layout, arena.inputs, arena.outputs, tuple(core), limits)
        weakref.finalize(self, arena.close)
        return arena


class _Arena:
    """A child with memory for the arrays of one call."""

    child: Child

    def __init__(self, layout: Layout) -> None:
        self.inputs = MemoryFile("reference-inputs", layout.input_bytes)
        self.outputs = MemoryFile("reference-outputs", layout.output_bytes)
        head, given, results = layout.calls[0].arrays
        self._head = layout.view(self.inputs, head)
        self._given = layout.view(self.inputs, given).view(np.uint8)
        self._results = layout.view(self.outputs, results).view(np.uint8)
        self._started = False

    def holds(self, input_bytes: int, output_bytes: int) -> bool:
        return input_bytes <= self._given.size and output_bytes <= self._results.size

    def run(self, head: Head, inputs: Mapping[int, Array], outputs: Mapping[int, Array]) -> None:
        self._head[:] = head.ravel()
        for at, array in inputs.items():
            self._given[head[at, 0] : head[at, 0] + array.nbytes].view(array.dtype)[:] = array.ravel()
        if self._started:
            self.child.go_on()
        self._started = True
        self.child.run(0, 1, CALL_S)
        self.child.stop()  # it takes no processor time while kernels are timed
        for at, array in outputs.items():
            array.ravel()[:] = self._results[head[at, 1] : head[at, 1] + array.nbytes].view(array.dtype)

    def close(self) -> None:
        self.child.close()
        self.inputs.close()
        self.outputs.close()


def _packed(head: Head, word: int, arrays: Mapping[int, Array]) -> int:
    """Gives every array its offset in ``head``, and returns the bytes of all."""
    end = 0
    for at, array in arrays.items():
        head[at, word] = end
        end += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    return end
