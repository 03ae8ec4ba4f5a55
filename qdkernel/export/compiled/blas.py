"""The BLAS and CBLAS symbols of an exported library, written from templates in ``c/level1`` to ``c/level3``.

Every routine is defined for 32-bit integers and, with the suffix ``64_``, for 64-bit ones, and also under the names
that the OpenBLAS in the wheels of numpy and SciPy has (``scipy_cblas_dgemm64_``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from string import Template

from qdkernel.export.compiled.sources import OWN_C, Files
from qdkernel.export.compiled.variants import Function

_PER_INTEGER = "/* ---- for each integer type ---- */\n"
_INTEGERS = (("int", "", "_"), ("int64_t", "64_", "_64_"))  # type, suffix of the CBLAS name, of Fortran's
_SHARED = {  # the template of routines that differ in their names only
    "trmv": "triangular_vector",
    "trsv": "triangular_vector",
    "trmm": "triangular_matrix",
    "trsm": "triangular_matrix",
}
_PROBLEM = re.compile(r"(?P<index>i?)(?P<precision>[ds])(?P<routine>[a-z0-9]+?)(?P<trans>_trans)?")
_PUBLIC = re.compile(r"^QD_PUBLIC \S+ (\w+)\(", re.MULTILINE)


def blas_files(functions: Sequence[Function]) -> Files:
    """A C file for each BLAS routine that the functions can serve, and the header that these share."""
    served: dict[tuple[str, str], set[str]] = defaultdict(set)
    for function in functions:
        match = _PROBLEM.fullmatch(function.problem.name)
        if function.is_own and match and _template(match["routine"]):
            served[match["precision"], match["routine"]].add("TRANS" if match["trans"] else "PLAIN")
    if not served:
        return {}
    files = {
        f"src/blas_{precision}{routine}.c": _symbols(precision, routine, kinds).encode()
        for (precision, routine), kinds in served.items()
    }
    return {"src/blas.h": (OWN_C / "blas.h").read_bytes(), **files}


def _template(routine: str) -> Path | None:
    name = f"{_SHARED.get(routine, routine)}.c"
    return next((path for level in (1, 2, 3) if (path := OWN_C / f"level{level}" / name).is_file()), None)


def _symbols(precision: str, routine: str, kinds: set[str]) -> str:
    path = _template(routine)
    assert path is not None
    once, _, per_integer = path.read_text(encoding="utf-8").rpartition(_PER_INTEGER)
    names = {"routine": routine, "d": precision, "real": {"d": "double", "s": "float"}[precision]}
    parts = [f'/* {routine.upper()} of the BLAS, by kernels of this library. */\n#include "blas.h"\n']
    if routine == "gemm":
        parts.append("".join(f"#define QD_HAS_{kind} {int(kind in kinds)}\n" for kind in ("PLAIN", "TRANS")))
    parts.append(Template(once).substitute(names))
    for integer, cblas, fortran in _INTEGERS:
        text = Template(per_integer).substitute(names, int=integer, c=cblas, f=fortran)
        also = "".join(f"QD_ALSO(scipy_{name}, {name});\n" for name in _PUBLIC.findall(text))
        parts.append(f"{text}\n{also}")
    return "\n".join(part for part in parts if part)
