"""Elites as code that is built elsewhere: a C library that chooses among kernels, and a Python package of them."""

from qdkernel.export.compiled.beyond import CallsBeyond, Exported
from qdkernel.export.compiled.blas import blas_files
from qdkernel.export.compiled.cmake import cmake_files
from qdkernel.export.compiled.python_package import package_files
from qdkernel.export.compiled.readme import readme
from qdkernel.export.compiled.sources import Files, c_files
from qdkernel.export.compiled.variants import Function, chosen_functions

__all__ = [
    "CallsBeyond",
    "Exported",
    "Files",
    "Function",
    "blas_files",
    "c_files",
    "chosen_functions",
    "cmake_files",
    "package_files",
    "readme",
]
