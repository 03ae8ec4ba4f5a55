"""The registry of problems; a new one is a folder in ``library/<family>/`` and a line below."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from qdkernel.core import Problem
from qdkernel.errors import ConfigError, unknown
from qdkernel.problems.declared import load_problems
from qdkernel.problems.gemm import DGEMM, SGEMM
from qdkernel.problems.stencil import JACOBI2D, STENCIL3D7

__all__ = ["PROBLEMS", "find_problem", "is_folder", "problem_label"]

_LABEL_LIMIT = 64  # characters; a file's name may have 255 bytes

LIBRARY = Path(__file__).parent / "library"

_FAMILIES: dict[str, tuple[str, ...]] = {  # the declared problems; "d/s" is one in double and in single precision
    "blas1": ("d/saxpy", "d/sscal", "d/scopy", "d/sswap", "d/sdot", "d/snrm2", "d/sasum", "id/samax", "d/srot"),
    "blas2": ("d/sgemv", "d/sger", "d/ssymv", "d/strmv", "d/strsv"),
    "blas3": ("d/sgemm_trans", "d/ssymm", "d/ssyrk", "d/ssyr2k", "d/strmm", "d/strsm"),
    "dense": ("d/stranspose", "d/sgemm_batch", "igemm8"),
    "sparse": ("d/sspmv_csr", "d/scg_iteration"),
    "learning": ("d/ssoftmax", "d/slayernorm", "d/sconv2d"),
    "scan": ("d/sprefix_sum", "histogram"),
    "physics": ("d/snbody",),
    "spectral": ("d/sfft",),
    "polybench": (
        *("mm2", "mm3", "atax", "bicg", "mvt", "gemver", "gesummv", "doitgen", "correlation", "covariance"),
        *("lu", "cholesky", "heat3d", "fdtd2d", "seidel2d", "floyd", "durbin", "ludcmp", "trisolv", "gramschmidt"),
    ),
}
# Each is declared in library/<family>/<its name in double precision>.


class _Registry(MutableMapping[str, Problem]):
    """The problems by name; those that are declared are read when they are first asked for."""

    def __init__(self, *ready: Problem) -> None:
        self._ready = {problem.name: problem for problem in ready}
        self._folders = {
            name: LIBRARY / family / _both(listed)[0]
            for family, all_listed in _FAMILIES.items()
            for listed in all_listed
            for name in _both(listed)
        }

    def __getitem__(self, name: str) -> Problem:
        if name not in self._ready:
            for problem in load_problems(self._folders[name], trusted=True):
                self._ready[problem.name] = problem
        return self._ready[name]

    def __setitem__(self, name: str, problem: Problem) -> None:
        self._ready[name] = problem

    def __delitem__(self, name: str) -> None:
        del self._ready[name]

    def __contains__(self, name: object) -> bool:
        return name in self._ready or name in self._folders

    def __iter__(self) -> Iterator[str]:
        return iter({**self._ready, **self._folders})

    def __len__(self) -> int:
        return len({**self._ready, **self._folders})


def _both(listed: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((listed.replace("d/s", "d"), listed.replace("d/s", "s"))))


PROBLEMS = _Registry(DGEMM, SGEMM, JACOBI2D, STENCIL3D7)


def is_folder(name: str) -> bool:
    """Whether a problem is given by the path of its folder rather than by its name."""
    return "/" in name


def problem_label(name: str) -> str:
    """A word for a problem that is given by its name or by the path of its folder; for names of files.

    The name may come from somebody else's run folder: what may not be in any file's name becomes ``_``.
    """
    return re.sub(r"[^\w.-]", "_", Path(name).name)[:_LABEL_LIMIT]


@functools.cache
def _declared_in(folder: str) -> Problem:
    return load_problems(Path(folder))[0]


def find_problem(name: str, accuracy: str = "componentwise") -> Problem:
    """The problem called ``name``, or declared in the folder of that path when it has a slash.

    It is judged ``componentwise`` or, where it has such a rule, ``normwise``.

    Raises:
        UnknownName: there is none; the message lists the known ones.
        ConfigError: it has no such rule.
    """
    if is_folder(name):
        problem = _declared_in(name)
    elif name in PROBLEMS:
        problem = PROBLEMS[name]
    else:
        raise unknown("problem", name, PROBLEMS)
    if accuracy == "componentwise":
        return problem
    if accuracy != "normwise" or problem.normwise is None:
        known = "componentwise or normwise" if problem.normwise else "componentwise"
        raise ConfigError(f"accuracy: expected {known} for {name}, got {accuracy!r}")
    return problem.normwise
