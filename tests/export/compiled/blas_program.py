"""A test program for a BLAS: every routine of a library, over all combinations of its arguments, against numpy.

``python -m tests.export.compiled.blas_program libqdkernel.so`` prints how many calls of each routine agreed. Each is
called as CBLAS in both orders and as Fortran, with 32-bit and 64-bit integers, in double and in single precision.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]  # Any: double and single precision
ROW, COL, FORTRAN = 101, 102, 0
TRANS = {111: "n", 112: "t", 113: "c"}
UPLO = {121: "u", 122: "l"}
DIAG = {131: "n", 132: "u"}
SIDE = {141: "l", 142: "r"}
LETTERS = TRANS | UPLO | DIAG | SIDE
ALPHAS, BETAS = (0.0, 1.0, 0.7), (0.0, 1.0, -0.5)
INCREMENTS = ((1, 1), (2, -1), (-2, 3), (-1, -1))
SHAPES = ((5, 7), (16, 3), (1, 1), (0, 4), (4, 0), (33, 18))


class Option(int):
    """An enumeration of the CBLAS, a letter in Fortran."""


class Blas:
    """One way of calling a library.

    Attributes:
        order: ``ROW`` or ``COL`` for the CBLAS, ``FORTRAN``.
        dtype: of the elements.
        calls: how many calls of each routine were made.
        shapes: of matrices; fewer where only types differ from another way.
    """

    def __init__(self, library: ctypes.CDLL, order: int, wide: bool, dtype: type) -> None:
        self.order, self.dtype = order, np.dtype(dtype)
        self.rng = np.random.default_rng(1)
        self.calls: Counter[str] = Counter()
        self._library, self._wide = library, wide
        self.shapes = SHAPES if dtype is np.float64 and not wide else SHAPES[:2]
        self._int: Any = ctypes.c_int64 if wide else ctypes.c_int
        self._real: Any = ctypes.c_double if dtype is np.float64 else ctypes.c_float

    @property
    def by_rows(self) -> bool:
        return self.order == ROW

    def __call__(self, routine: str, *arguments: Any, returns: str = "") -> Any:
        """Calls, e.g. ``blas("scal", 3, 0.5, x, 1)``; an ``i`` at the beginning of the name stays in front."""
        letter = "d" if self.dtype == np.float64 else "s"
        name = f"i{letter}{routine[1:]}" if routine.startswith("iamax") else letter + routine
        name += {(False, False): "", (True, False): "64_", (False, True): "_", (True, True): "_64_"}[
            self._wide, self.order == FORTRAN
        ]
        function = self._library[name if self.order == FORTRAN else f"cblas_{name}"]
        index = self._int if self.order == FORTRAN else ctypes.c_size_t
        function.restype = {"": None, "real": self._real, "index": index}[returns]
        self.calls[routine] += 1
        if self.order == FORTRAN:
            return function(*(ctypes.byref(self._value(a)) if not isinstance(a, np.ndarray) else _at(a)
                              for a in arguments))  # fmt: skip
        first = [ctypes.c_int(self.order)] if isinstance(arguments[0], Option) or routine == "ger" else []
        return function(*first, *(self._value(a) if not isinstance(a, np.ndarray) else _at(a) for a in arguments))

    def _value(self, argument: Any) -> Any:
        if isinstance(argument, Option):
            if self.order == FORTRAN:
                return ctypes.c_char(LETTERS[argument].encode())
            return ctypes.c_int(argument)
        return self._int(argument) if isinstance(argument, int) else self._real(argument)

    def stored(self, matrix: Array, pad: int = 3) -> tuple[Array, int, Array]:
        """A matrix in memory with NaN behind each row or column: memory, leading dimension, a view as the matrix."""
        rows = matrix if self.by_rows else matrix.T
        memory = np.full((max(1, rows.shape[0]), max(1, rows.shape[1]) + pad), np.nan, self.dtype)
        view = memory[: rows.shape[0], : rows.shape[1]]
        view[...] = rows
        return memory, memory.shape[1], view if self.by_rows else view.T

    def vector(self, values: Array, increment: int) -> tuple[Array, Array]:
        """A vector in memory with NaN between its elements, and a view of it as the vector."""
        memory = np.full(1 + max(0, len(values) - 1) * abs(increment), np.nan, self.dtype)
        view = memory[:: abs(increment)][: len(values)][:: 1 if increment > 0 else -1]
        view[...] = values
        return memory, view

    def draw(self, *shape: int) -> Array:
        return self.rng.uniform(-1, 1, shape).astype(self.dtype)

    def agree(self, what: str, got: Any, expected: Any) -> None:
        error = 1e-11 if self.dtype == np.float64 else 1e-3
        np.testing.assert_allclose(got, expected, rtol=error, atol=error, err_msg=f"{what} {self.order} {self.dtype}")


def _at(array: Array) -> Any:
    return ctypes.c_void_p(array.ctypes.data)


def _op(matrix: Array, trans: int) -> Array:
    return matrix if trans == 111 else matrix.T


def _triangle(matrix: Array, uplo: int, diag: int = 131) -> Array:
    kept = np.tril(matrix) if uplo == 122 else np.triu(matrix)
    if diag == 132:
        np.fill_diagonal(kept, 1)
    return kept


def _symmetric(matrix: Array, uplo: int) -> Array:
    half = _triangle(matrix, uplo)
    return half + half.T - np.diag(np.diag(half))


def _unread(matrix: Array, uplo: int, diag: int = 131) -> Array:
    """The matrix with NaN in the triangle, and on the diagonal, that must not be read."""
    rest = np.triu(np.ones_like(matrix), 1) if uplo == 122 else np.tril(np.ones_like(matrix), -1)
    hidden = matrix.copy()
    hidden[rest == 1] = np.nan
    if diag == 132:
        np.fill_diagonal(hidden, np.nan)
    return hidden


def check_vectors(blas: Blas) -> None:
    for n, (incx, incy) in itertools.product((0, 1, 6, 37), INCREMENTS):
        x, y = blas.draw(n), blas.draw(n)
        for alpha in ALPHAS:
            (xs, _), (ys, got) = blas.vector(x, incx), blas.vector(y, incy)
            blas("axpy", n, alpha, xs, incx, ys, incy)
            blas.agree("axpy", got, alpha * x + y)
            xs, got = blas.vector(x, abs(incx))
            blas("scal", n, alpha, xs, abs(incx))
            blas.agree("scal", got, alpha * x)
        (xs, gotx), (ys, goty) = blas.vector(x, incx), blas.vector(y, incy)
        blas.agree("dot", blas("dot", n, xs, incx, ys, incy, returns="real"), x @ y)
        blas("swap", n, xs, incx, ys, incy)
        blas.agree("swap", np.stack([gotx, goty]), np.stack([y, x]))
        blas("copy", n, xs, incx, ys, incy)
        blas.agree("copy", goty, y)
        (xs, gotx), (ys, goty) = blas.vector(x, incx), blas.vector(y, incy)
        blas("rot", n, xs, incx, ys, incy, 0.6, 0.8)
        blas.agree("rot", np.stack([gotx, goty]), np.stack([0.6 * x + 0.8 * y, 0.6 * y - 0.8 * x]))
        xs, _ = blas.vector(x, abs(incx))
        blas.agree("asum", blas("asum", n, xs, abs(incx), returns="real"), np.abs(x).sum())
        blas.agree("nrm2", blas("nrm2", n, xs, incx, returns="real"), np.linalg.norm(x))
        largest = (int(np.argmax(np.abs(x))) if n else 0) + (1 if blas.order == FORTRAN and n else 0)
        assert blas("iamax", n, xs, abs(incx), returns="index") == largest
    fixed, moving = blas.draw(1), blas.draw(5)
    expected = moving + 2 * fixed
    blas("axpy", 5, 2.0, fixed, 0, moving, 1)
    blas.agree("axpy with an increment of 0", moving, expected)


def check_matrix_vector(blas: Blas) -> None:
    for (m, n), (incx, incy) in itertools.product(blas.shapes, INCREMENTS):
        a = blas.draw(m, n)
        for trans, alpha, beta in itertools.product(TRANS, ALPHAS, BETAS):
            x, y = blas.draw(*_op(a, trans).shape[1:]), blas.draw(_op(a, trans).shape[0])
            (memory, ld, _), (xs, _), (ys, got) = blas.stored(a), blas.vector(x, incx), blas.vector(y, incy)
            blas("gemv", Option(trans), m, n, alpha, memory, ld, xs, incx, beta, ys, incy)
            blas.agree("gemv", got, alpha * _op(a, trans) @ x + beta * y if m and n else y)
        for alpha in ALPHAS:
            x, y = blas.draw(m), blas.draw(n)
            (memory, ld, got), (xs, _), (ys, _) = blas.stored(a), blas.vector(x, incx), blas.vector(y, incy)
            blas("ger", m, n, alpha, xs, incx, ys, incy, memory, ld)
            blas.agree("ger", got, a + alpha * np.outer(x, y))
    for n, (incx, incy), uplo in itertools.product((0, 1, 9, 34), INCREMENTS, UPLO):
        a, x, y = blas.draw(n, n) / max(1, n), blas.draw(n), blas.draw(n)
        for alpha, beta in itertools.product(ALPHAS, BETAS):
            memory, ld, _ = blas.stored(_unread(a, uplo))
            (xs, _), (ys, got) = blas.vector(x, incx), blas.vector(y, incy)
            blas("symv", Option(uplo), n, alpha, memory, ld, xs, incx, beta, ys, incy)
            blas.agree("symv", got, alpha * _symmetric(a, uplo) @ x + beta * y)
        a += 2 * np.eye(n, dtype=blas.dtype)
        for trans, diag in itertools.product(TRANS, DIAG):
            full = _op(_triangle(a, uplo, diag), trans)
            for routine, expected in (("trmv", full @ x), ("trsv", np.linalg.solve(full, x))):
                (memory, ld, _), (xs, got) = blas.stored(_unread(a, uplo, diag)), blas.vector(x, incx)
                blas(routine, Option(uplo), Option(trans), Option(diag), n, memory, ld, xs, incx)
                blas.agree(routine, got, expected)


def check_products(blas: Blas) -> None:
    for (m, n), k, alpha, beta in itertools.product(blas.shapes, (0, 1, 11), ALPHAS, BETAS):
        for transa, transb in itertools.product(TRANS, TRANS):
            a = blas.draw(*((m, k) if transa == 111 else (k, m)))
            b = blas.draw(*((k, n) if transb == 111 else (n, k)))
            c = blas.draw(m, n)
            (ma, lda, _), (mb, ldb, _), (mc, ldc, got) = blas.stored(a), blas.stored(b, 1), blas.stored(c, 2)
            blas("gemm", Option(transa), Option(transb), m, n, k, alpha, ma, lda, mb, ldb, beta, mc, ldc)
            blas.agree("gemm", got, alpha * _op(a, transa) @ _op(b, transb) + beta * c)
        for uplo, trans in itertools.product(UPLO, TRANS):
            a, b = (blas.draw(*((n, k) if trans == 111 else (k, n))) for _ in range(2))
            c = blas.draw(n, n)
            x, y = _op(a, trans), _op(b, trans)
            rest = c - _triangle(c, uplo)
            (ma, lda, _), (mb, ldb, _), (mc, ldc, got) = blas.stored(a), blas.stored(b), blas.stored(c)
            blas("syrk", Option(uplo), Option(trans), n, k, alpha, ma, lda, beta, mc, ldc)
            blas.agree("syrk", got, _triangle(alpha * x @ x.T + beta * c, uplo) + rest)
            mc, ldc, got = blas.stored(c)
            blas("syr2k", Option(uplo), Option(trans), n, k, alpha, ma, lda, mb, ldb, beta, mc, ldc)
            blas.agree("syr2k", got, _triangle(alpha * (x @ y.T + y @ x.T) + beta * c, uplo) + rest)


def check_sided(blas: Blas) -> None:
    for (m, n), side, uplo, alpha in itertools.product(blas.shapes, SIDE, UPLO, ALPHAS):
        order = m if side == 141 else n
        a, b, c = blas.draw(order, order) / max(1, order), blas.draw(m, n), blas.draw(m, n)
        for beta in BETAS:
            (ma, lda, _), (mb, ldb, _), (mc, ldc, got) = blas.stored(_unread(a, uplo)), blas.stored(b), blas.stored(c)
            blas("symm", Option(side), Option(uplo), m, n, alpha, ma, lda, mb, ldb, beta, mc, ldc)
            full = _symmetric(a, uplo)
            blas.agree("symm", got, alpha * (full @ b if side == 141 else b @ full) + beta * c)
        a += 2 * np.eye(order, dtype=blas.dtype)
        for trans, diag in itertools.product(TRANS, DIAG):
            full = _op(_triangle(a, uplo, diag), trans)
            for routine, factor in (("trmm", full), ("trsm", np.linalg.inv(full))):
                (ma, lda, _), (mb, ldb, got) = blas.stored(_unread(a, uplo, diag)), blas.stored(b)
                blas(routine, Option(side), Option(uplo), Option(trans), Option(diag), m, n, alpha, ma, lda, mb, ldb)
                blas.agree(routine, got, alpha * (factor @ b if side == 141 else b @ factor))


def ways(library: ctypes.CDLL) -> Iterator[Blas]:
    for order, wide, dtype in itertools.product((ROW, COL, FORTRAN), (False, True), (np.float64, np.float32)):
        yield Blas(library, order, wide, dtype)


CHECKS: tuple[Callable[[Blas], None], ...] = (check_vectors, check_matrix_vector, check_products, check_sided)


def main(path: str) -> None:
    calls: Counter[str] = Counter()
    for blas in ways(ctypes.CDLL(path)):
        for check in CHECKS:
            check(blas)
        calls += blas.calls
    print(" ".join(f"{name}={count}" for name, count in sorted(calls.items())))


if __name__ == "__main__":
    main(sys.argv[1])
