from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from qdkernel.core import Kernel, check_array, complete_case, lowest_address
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.pipeline import EvaluationContext, verify_only
from qdkernel.loading import LoadedKernel, _Contained, _open, load
from qdkernel.problems import find_problem
from tests.problems.lookup import LOOKUP

pytestmark = pytest.mark.isa_dependent


@pytest.fixture(scope="module")
def kernel(small_run: tuple) -> LoadedKernel:  # type: ignore[type-arg]
    return load(small_run[0])


def test_the_best_elite_multiplies_numpy_matrices(kernel: LoadedKernel) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.random((37, 53)), rng.random((53, 29)), np.full((37, 29), np.nan)
    kernel(a, b, c)
    np.testing.assert_allclose(c, a @ b, rtol=1e-13)


def test_scalars_are_keywords_and_padded_rows_are_understood(kernel: LoadedKernel) -> None:
    rng = np.random.default_rng(1)
    whole = rng.random((20, 40))
    a, b, c = whole[:, :7], rng.random((7, 11)), rng.random((20, 11))
    expected = 2.0 * (a @ b) - 0.5 * c
    kernel(a, b, c, alpha=2.0, beta=-0.5)
    np.testing.assert_allclose(c, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("arrays", "error", "said"),
    [
        ((np.ones((2, 3)), np.ones((3, 2))), TypeError, "takes the arrays A, B, C; got 2"),
        (
            (np.ones((2, 3), np.float32), np.ones((3, 2)), np.ones((2, 2))),
            TypeError,
            "A: expected a numpy array of float64",
        ),
        ((np.ones((2, 3)), np.ones((4, 2)), np.ones((2, 2))), ValueError, r"B: expected shape \(3, 2\)"),
        ((np.ones((2, 3)), np.ones((3, 2)), np.ones((2, 5))), ValueError, "to go with the others"),
        ((np.ones((3, 2)).T, np.ones((3, 2)), np.ones((2, 2))), ValueError, "A: expected C-contiguous rows"),
        ((np.ones(3), np.ones((3, 2)), np.ones((2, 2))), ValueError, "A: expected 2 dimensions"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    arrays: tuple[np.ndarray, ...],
    error: type[Exception],
    said: str,
    kernel: LoadedKernel,
) -> None:
    with pytest.raises(error, match=said):
        kernel(*arrays)


def test_a_read_only_or_overlapping_result_is_refused(kernel: LoadedKernel) -> None:
    square, fixed = np.ones((4, 4)), np.ones((4, 4))
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="C is written by dgemm, but the array is read-only"):
        kernel(square, square, fixed)
    with pytest.raises(ValueError, match="C and A overlap"):
        kernel(square, np.ones((4, 4)), square)


def test_an_unknown_scalar_names_the_ones_there_are(kernel: LoadedKernel) -> None:
    arrays = [np.ones((2, 2)) for _ in range(3)]
    with pytest.raises(TypeError, match="takes the scalars alpha, beta by keyword; got gamma"):
        kernel(*arrays, gamma=1.0)


def test_sizes_that_no_shape_shows_must_be_given() -> None:
    problem, grids = find_problem("jacobi2d"), {"u": np.zeros((6, 6)), "v": np.zeros((6, 6))}
    with pytest.raises(TypeError, match="also needs t"):
        complete_case(problem, grids, {})
    case = complete_case(problem, grids, {"t": 3})
    assert (case["n"], case["t"], case["ld"]) == (4, 3, 6)


def case_of(name: str, **arrays: np.ndarray) -> dict[str, int | float]:
    return complete_case(find_problem(name), arrays, {})


def test_the_increments_of_vectors_are_their_strides_and_a_reversed_one_is_passed_by_its_lowest_address() -> None:
    problem, whole = find_problem("daxpy"), np.arange(20.0)
    case = case_of("daxpy", x=whole[::2], y=whole[9::-1])
    assert (case["n"], case["incx"], case["incy"], case["alpha"]) == (10, 2, -1, 0.7)
    assert lowest_address(whole[9::-1]) == whole.ctypes.data
    assert lowest_address(whole[3:]) == whole.ctypes.data + 24
    for argument, array in zip(problem.arrays, (whole[::2], whole[9::-1]), strict=True):
        check_array(problem, argument, array)
    with pytest.raises(ValueError, match="x: expected C-contiguous elements"):
        check_array(problem, problem.arrays[0], np.broadcast_to(np.float64(1), (10,)))


def test_the_extents_of_a_grid_and_the_padding_of_its_rows_are_read_off() -> None:
    problem, u = find_problem("stencil3d7"), np.zeros((6, 7, 16))[:, :, :10]
    case = case_of("stencil3d7", u=u, v=np.zeros((4, 5, 8)))
    assert [case[name] for name in ("nx", "ny", "nz", "ldu", "ldv")] == [8, 5, 4, 16, 8]
    with pytest.raises(ValueError, match=r"v: expected shape \(4, 5, 8\) to go with the others"):
        case_of("stencil3d7", u=u, v=np.zeros((4, 5, 9)))
    with pytest.raises(ValueError, match="u: expected C-contiguous elements"):
        check_array(problem, problem.arrays[0], np.zeros((6, 9, 10))[:, :7])
    fixed = np.zeros((4, 5, 8))
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="v is written by stencil3d7, but the array is read-only"):
        check_array(problem, problem.arrays[1], fixed)


def test_indices_out_of_range_are_refused() -> None:
    table = np.zeros((3, 2, 2, 3), np.float32)
    outputs: dict[str, np.ndarray] = {
        "picked": np.zeros((4, 2, 2, 3), np.float32),
        "total": np.zeros(()),
        "largest": np.zeros((), np.int64),
    }
    index = np.array([0, 1, 2, 2], np.int32)
    case = complete_case(LOOKUP, {"index": index, "table": table, **outputs}, {})
    assert (case["n"], case["entries"], case["row"]) == (4, 3, 3)
    with pytest.raises(ValueError, match="index: expected values from 0 to 2"):
        complete_case(LOOKUP, {"index": index + 1, "table": table, **outputs}, {})


# Packs B into static memory, and takes its time between packing and use.
STATIC = """
#include <string.h>
static double packed[1 << 16];
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(size_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(size_t)i * ldc + j];
    if (alpha == 0 || n == 0)
        return;
    for (int p = 0; p < k; p++) {
        memcpy(packed, B + (size_t)p * ldb, n * sizeof *packed);
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                C[(size_t)i * ldc + j] += alpha * A[(size_t)i * lda + p] * packed[j];
    }
}
"""


@pytest.mark.parametrize("per_thread", [False, True])
def test_threads_may_call_a_kernel_with_static_buffers(
    per_thread: bool, context: EvaluationContext, tmp_path: Path
) -> None:
    made, reason = verify_only(context, Kernel(STATIC), tmp_path)
    assert made is not None, reason
    loaded = _open(context.toolchain, context.problem, STATIC, "none/128/serial/none", made, per_thread)

    def call(seed: int) -> float:
        rng = np.random.default_rng(seed)
        a, b, c = rng.random((150, 150)), rng.random((150, 150)), np.empty((150, 150))
        loaded(a, b, c)
        return float(np.max(np.abs(c - a @ b)))

    with ThreadPoolExecutor(4) as threads:
        assert max(threads.map(call, range(200))) < 1e-9


def test_copies_of_threads_are_apart(context: EvaluationContext, tmp_path: Path) -> None:
    made, reason = verify_only(context, Kernel(STATIC), tmp_path)
    assert made is not None, reason
    loaded = _open(context.toolchain, context.problem, STATIC, "none/128/serial/none", made, True)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(loaded._call._mine).result().function.args != loaded._call._mine().function.args  # type: ignore[attr-defined]


HOSTILE_LATER = """\
#include <stdlib.h>
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; alpha != 0 && p < k; p++)
                sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
    if (m == 1 && n == 1 && k == 1 && A[0] == 42)
        abort();
}
"""


def test_a_contained_kernel_computes_and_cannot_end_this_process(context: EvaluationContext, tmp_path: Path) -> None:
    made, complaint = verify_only(context, Kernel(HOSTILE_LATER), tmp_path)
    assert made is not None, complaint
    loaded = LoadedKernel(context.problem, HOSTILE_LATER, "none/128/serial/none", _Contained(context, made))
    rng = np.random.default_rng(0)
    a, b, c = rng.random((37, 53)), rng.random((53, 40))[:, :29], np.full((37, 29), np.nan)
    loaded(a, b, c)
    np.testing.assert_allclose(c, a @ b, rtol=1e-13)
    one = np.full((1, 1), 42.0)
    with pytest.raises(QdkernelError, match=r"failed in its contained child \(killed by SIG.*no array was changed"):
        loaded(one, one.copy(), c[:1, :1])
    assert c[0, 0] == pytest.approx(float(a[0] @ b[:, 0]))
