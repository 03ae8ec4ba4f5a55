"""Elites as a C library to link, and as a Python package to install."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qdkernel.errors import ConfigError
from qdkernel.export.compiled import (
    CallsBeyond,
    Files,
    Function,
    blas_files,
    c_files,
    chosen_functions,
    cmake_files,
    package_files,
    readme,
)
from qdkernel.export.contract import Source
from qdkernel.export.files import CARD, must_be_ours, write_file

_HOW_LIBRARY = """\
Build with `cmake -B build && cmake --build build`, install with `cmake --install build --prefix DIR`. Link with CMake
(`find_package(qdkernel)`, `qdkernel::qdkernel`) or `pkg-config --cflags --libs qdkernel`; `qdkernel.h` declares the
functions. Of BLAS problems the library has the BLAS and CBLAS symbols as well, for 32-bit and 64-bit integers:
`LD_PRELOAD=DIR/lib/libqdkernel.so` makes other programs, e.g. numpy's product, call the kernels."""

_HOW_PYTHON = """\
Install with `pip install .` (needs gcc), then `from qdkernel_elites import FUNCTION`: functions on numpy arrays that
compute in place, arrays in the prototype's order, scalars by keyword. Shapes, strides and types are checked."""

_LIBRARY = "Elites as a C library to link, with BLAS symbols: sources and CMake."
_PYTHON = "Elites as a Python package to install: functions on numpy arrays."


def _library_files(functions: Sequence[Function]) -> Files:
    sources = {**c_files(functions), **blas_files(functions)}
    return {**sources, **cmake_files(functions, sources)}


@dataclass(frozen=True)
class CompiledFormat:
    """A folder of sources that another tool builds.

    Attributes:
        name: as given to ``--to``.
        help: one sentence.
        how: how to build and use it, as Markdown.
        files: what is in the folder besides its README.
    """

    name: str
    help: str
    how: str
    files: Callable[[Sequence[Function]], Files]

    def write(self, source: Source, out: Path | None) -> list[Path]:
        """Writes the folder; see ``Format``."""
        if out is None:
            raise ConfigError(f"export --to {self.name} writes a folder of files; name it with --out")
        must_be_ours(out)
        with CallsBeyond(source) as calls:
            functions = chosen_functions(source, self.name, calls)
        card = readme(self.name, self.how, functions, source.records, source.selection)
        return [write_file(out / path, content) for path, content in {CARD: card, **self.files(functions)}.items()]


COMPILED = (
    CompiledFormat("library", _LIBRARY, _HOW_LIBRARY, _library_files),
    CompiledFormat("python", _PYTHON, _HOW_PYTHON, package_files),
)
