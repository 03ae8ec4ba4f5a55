"""A problem with everything that the contract admits and no registered problem has yet.

``lookup`` copies entries of a table, each 2 x 2 x 3 values with padded rows, to where an index array tells: arrays of
four dimensions, indices in a range, outputs of three dtypes, two of them single values passed by pointer.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from qdkernel.core import Array, ArrayArgument, Arrays, Case, Expected, KernelBaseline, Problem, Role, Scalar
from qdkernel.problems.checks import comparison
from qdkernel.problems.families import shared_families

_DTYPE = np.dtype(np.float32)
_SIZES = ((0, 3), (1, 1), (2, 5), (7, 3), (8, 8), (9, 2), (31, 17), (64, 33), (65, 1))
_FAMILIES = ("uniform", "integers", "graded")
_INDEX = ArrayArgument(
    "index",
    Role.IN,
    lambda case: (int(case["n"]),),
    dtype=np.dtype(np.int32),
    index_bound=lambda case: int(case["entries"]),
)
_TABLE = ArrayArgument("table", Role.IN, lambda case: (int(case["entries"]), 2, 2, 3), (None, None, "row", None))


def _verify_cases(rng: np.random.Generator) -> list[tuple[Case, str]]:
    sizes = [*_SIZES, *((int(n), int(m)) for n, m in rng.integers(2, 40, (3, 2)))]
    pairs = itertools.product(sizes, zip(_FAMILIES, (3, 5, 4), strict=True))
    return [({"n": n, "entries": entries, "row": row}, family) for (n, entries), (family, row) in pairs]


def _reference(case: Case, arrays: Arrays) -> dict[str, Expected]:
    index = arrays["index"]
    picked: Array = arrays["table"][index]
    exact = np.zeros(picked.shape)
    magnitude = np.asarray(np.abs(picked.astype(np.float64)).sum())
    largest = np.asarray(index.max(initial=-1))
    return {
        "picked": Expected(picked, exact),
        "total": Expected(np.asarray(picked.astype(np.longdouble).sum()), magnitude),
        "largest": Expected(largest, np.zeros(())),
    }


_SKETCH, _SKETCH_ERROR = comparison(_reference)

LOOKUP = Problem(
    name="lookup",
    summary="entries of a table, copied to where the indices tell, their sum and the largest index",
    prototype=(
        "void lookup(int n, int entries, const int *restrict index, const float *restrict table, int row, "
        "float *restrict picked, double *restrict total, int64_t *restrict largest)"
    ),
    dtype=_DTYPE,
    arguments=(
        Scalar("n"),
        Scalar("entries"),
        _INDEX,
        _TABLE,
        Scalar("row"),
        ArrayArgument("picked", Role.OUT, lambda case: (int(case["n"]), 2, 2, 3)),
        ArrayArgument("total", Role.OUT, lambda case: (), dtype=np.dtype(np.float64)),
        ArrayArgument("largest", Role.OUT, lambda case: (), dtype=np.dtype(np.int64)),
    ),
    size_names=("n", "entries"),
    size_from_int=lambda size: {"n": size, "entries": size},
    scored_case=lambda size: {"n": size["n"], "entries": size["entries"], "row": 3},
    verify_cases=_verify_cases,
    families=shared_families(_DTYPE, (_INDEX, _TABLE), _FAMILIES),
    reference=_reference,
    sketch=_SKETCH,
    sketch_error=_SKETCH_ERROR,
    flops=lambda case: 12.0 * case["n"],
    bytes=lambda case: 100.0 * case["n"],
    least_bytes=lambda case: 52.0 * case["n"],
    folder=Path(__file__).parent,
    seeds=("lookup_naive.c",),
    baseline=KernelBaseline("lookup_naive.c"),
    default_sizes=lambda last_level_cache: [{"n": 1000, "entries": 1000}],
    nest_depth=4,
)
