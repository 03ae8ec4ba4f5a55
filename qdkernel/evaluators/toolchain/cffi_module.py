"""Trusted C as a Python extension module of cffi's API mode, built once per machine into the cache.

cffi generates the module's C, as ``FFI.set_source`` and ``FFI.emit_c_code`` do (cffi documentation, "Preparing and
Distributing modules"). The run's own compiler builds it, like the rest of the project's C; ``FFI.compile`` would use
the compiler and flags that Python was built with. Calls release the interpreter lock.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sysconfig
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cffi
from cffi.recompiler import make_c_source

from qdkernel.evaluators.toolchain.native import OWN_FLAGS, build_cached
from qdkernel.evaluators.toolchain.toolchain import Toolchain


def load_module(toolchain: Toolchain, name: str, declarations: str, source: str) -> Any:  # Any: made at run time
    """The extension module ``name``; ``.lib`` has the declared functions, ``.ffi`` casts and buffers.

    Where Python's C headers are missing (Debian: package python3-dev), the same functions come from a plain shared
    library in cffi's ABI mode, with the same ``.lib`` and ``.ffi``; a call then takes some 0.3 us longer.

    Args:
        toolchain: compiles it when the cache does not have it (about 1 s).
        name: of the module, a C identifier.
        declarations: prototypes as cffi's parser reads them.
        source: C that defines the functions; may include files of ``evaluators/native``.

    Raises:
        ToolchainError: the compiler rejects the source.
    """
    builder = cffi.FFI()
    builder.cdef(declarations)
    flags = [*OWN_FLAGS, "-fPIC", "-shared"]
    include = Path(sysconfig.get_paths()["include"])
    if not (include / "Python.h").exists():
        library = build_cached(toolchain, f"lib{name}.so", [f"{name}.c", *flags], {f"{name}.c": source})
        return SimpleNamespace(ffi=builder, lib=builder.dlopen(str(library)))
    code = _generated(builder, name, source)
    return _import(
        name, build_cached(toolchain, f"{name}.so", [f"{name}.c", *flags, "-I", str(include)], {f"{name}.c": code})
    )


def _generated(builder: cffi.FFI, name: str, source: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.c"
        make_c_source(builder, name, source, str(file))  # FFI.emit_c_code prints to standard output
        return file.read_text(encoding="utf-8")


def _import(name: str, path: Path) -> Any:
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
