"""A Python package of kernels: built by pip through cffi's API mode, without qdkernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import qdkernel.core.problem.array_call
from qdkernel.core import ArrayArgument, Problem, parse_prototype
from qdkernel.export.compiled.sources import Files, c_files, kernel_file
from qdkernel.export.compiled.variants import Function
from qdkernel.problems import Formulas, formulas_of

PACKAGE = "qdkernel_elites"

_PYPROJECT = f"""[build-system]
requires = ["setuptools>=77", "cffi>=1.16"]
build-backend = "setuptools.build_meta"

[project]
name = "{PACKAGE.replace("_", "-")}"
version = "1.0.0"
description = "Kernels bred by qdkernel, on numpy arrays"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["numpy>=2.0", "cffi>=1.16"]

[tool.setuptools]
packages = ["{PACKAGE}"]
"""

_SETUP = '''"""Compiles the kernels, each with its own flags, and the module that calls them."""

from setuptools import setup

HEADERS = ["csrc/include"]


def library(name, sources, flags):
    return name, {{"sources": sources, "include_dirs": HEADERS, "cflags": [*flags, "-fvisibility=hidden"]}}


setup(
    libraries=[
{libraries}    ],
    cffi_modules=["build_module.py:ffi"],
)
'''

_BUILD = '''"""The module ``{package}._kernels``, by cffi."""

from cffi import FFI

ffi = FFI()
ffi.cdef("""
{declared}""")
ffi.set_source(
    "{package}._kernels",
    '#include "qdkernel.h"',
    include_dirs=["csrc/include"],
    extra_link_args=["-fopenmp", "-lm"],
)
'''

_INIT = '''"""Kernels bred by qdkernel, as functions on numpy arrays: {names}."""

from math import log2, sqrt  # noqa: F401

import numpy as np

from ._functions import ArrayArgument, Function
from ._kernels import ffi, lib

__all__ = [{listed}]
'''


def package_files(functions: Sequence[Function]) -> Files:
    """All files of the package but its README."""
    runtime = (Path(__file__).parent / "package" / "functions.py").read_text(encoding="utf-8")
    names = [function.problem.name for function in functions]
    listed = ", ".join(f'"{name}"' for name in names)
    bodies = [_INIT.format(names=", ".join(names), listed=listed), *(_function(each.problem) for each in functions)]
    return {
        "pyproject.toml": _PYPROJECT.encode(),
        "setup.py": _setup(functions).encode(),
        "build_module.py": _BUILD.format(package=PACKAGE, declared=_declared(functions)).encode(),
        "MANIFEST.in": b"include build_module.py\ngraft csrc\n",
        f"{PACKAGE}/__init__.py": "\n\n".join(bodies).encode(),
        f"{PACKAGE}/_functions.py": runtime.replace("from qdkernel.core import", "from ._call import").encode(),
        f"{PACKAGE}/_call.py": Path(qdkernel.core.problem.array_call.__file__).read_bytes(),
        **{f"csrc/{path}": content for path, content in c_files(functions).items()},
    }


def _setup(functions: Sequence[Function]) -> str:
    """A library for dispatch, then one for each kernel, in the order in which they are linked."""
    own = ["csrc/src/dispatch.c", *(f"csrc/src/{function.problem.name}.c" for function in functions)]
    rows: list[tuple[str, list[str], tuple[str, ...]]] = [("qd_dispatch", own, ("-O2", "-fopenmp"))]
    rows += [
        (variant.symbol, [f"csrc/{kernel_file(variant)}"], variant.flags)
        for function in functions
        for variant in function.variants
    ]
    return _SETUP.format(
        libraries="".join(f"        library({name!r}, {c!r}, {[*flags]!r}),\n" for name, c, flags in rows)
    )


def _declared(functions: Sequence[Function]) -> str:
    return "".join(f"{function.problem.prototype.strip().rstrip(';')};\n" for function in functions)


def _function(problem: Problem) -> str:
    """The Python text that makes a function.

    Of daxpy it is::

        def _daxpy_case(size):
            n = size["n"]
            alpha = 0.7
            return {"n": n, "alpha": alpha}


        daxpy = Function(
            ffi,
            lib.daxpy,
            "daxpy",
            ("n", "alpha", "x", "incx", "y", "incy"),
            ("n",),
            _daxpy_case,
            (
                ArrayArgument("x", np.dtype("float64"), False, lambda case: ..., ("incx",)),
                ArrayArgument("y", np.dtype("float64"), True, lambda case: ..., ("incy",)),
            ),
        )
    """
    formulas = formulas_of(problem)
    scalars = [*problem.size_names, *formulas.scalars]
    sizes = "".join(f'    {name} = size["{name}"]\n' for name in problem.size_names)
    others = "".join(f"    {name} = {text}\n" for name, text in formulas.scalars.items())
    returned = ", ".join(f'"{name}": {name}' for name in scalars)
    arrays = "".join(f"        {_array(problem, argument, formulas, scalars)},\n" for argument in problem.arrays)
    parameters = tuple(p.name for p in parse_prototype(problem.prototype).parameters)
    return (
        f"def _{problem.name}_case(size):\n{sizes}{others}    return {{{returned}}}\n\n\n"
        f"{problem.name} = Function(\n    ffi,\n    lib.{problem.name},\n    {problem.name!r},\n    {parameters!r},\n"
        f"    {problem.size_names!r},\n    _{problem.name}_case,\n    (\n{arrays}    ),\n)\n"
        f"{problem.name}.__doc__ = {problem.summary!r}\n"
    )


def _array(problem: Problem, argument: ArrayArgument, formulas: Formulas, scalars: Sequence[str]) -> str:
    taken = ", ".join([*scalars, "**_"])
    extents = "".join(f"max(0, int({extent})), " for extent in formulas.extents[argument.name])
    bound = formulas.bounds.get(argument.name)
    parts = [
        repr(argument.name),
        f'np.dtype("{problem.dtype_of(argument).name}")',
        repr(argument.is_written),
        f"lambda case: (lambda {taken}: ({extents}))(**case)",
        repr(tuple(argument.strides)),
        *([] if bound is None else [f"lambda case: (lambda {taken}: int({bound}))(**case)"]),
    ]
    return f"ArrayArgument({', '.join(parts)})"
