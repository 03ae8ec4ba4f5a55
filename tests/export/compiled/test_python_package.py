"""``export --to python``: installed by pip into an environment of its own, used from there, without qdkernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qdkernel.export import FORMATS, Selection, open_source
from tests.export.compiled.made_runs import naive_run

pytestmark = [pytest.mark.slow]

USE = """
import sys
import numpy as np
import qdkernel_elites as kernels

assert "qdkernel" not in sys.modules
rng = np.random.default_rng(0)
a, b, c = rng.random((30, 20)), rng.random((20, 40)), np.full((30, 40), np.nan)
kernels.dgemm(a, b, c)
np.testing.assert_allclose(c, a @ b, rtol=1e-12)
kernels.dgemm(a[:, :7], b[:7], c[:, :40], alpha=2.0, beta=1.0)
np.testing.assert_allclose(c, a @ b + 2 * (a[:, :7] @ b[:7]), rtol=1e-12)

whole = rng.random((20, 30))
kernels.sgemm_trans(*(x.astype("f4") for x in (whole, b)), single := np.empty((30, 40), "f4"), transa=1)
np.testing.assert_allclose(single, whole.T @ b, rtol=1e-4)
kernels.sgemm_trans(*(x.astype("f4") for x in (a, b)), single, transa=0)
np.testing.assert_allclose(single, a @ b, rtol=1e-4)

x, y = np.arange(10.0), np.ones(5)
kernels.daxpy(x[::-2], y, alpha=3.0)
np.testing.assert_array_equal(y, 1 + 3 * x[::-2])

u = np.zeros((6, 6)); u[0] = 1; v = u.copy()
kernels.jacobi2d(u, v, t=1)
np.testing.assert_allclose(v[1, 1:-1], 0.2)

for wrong, said in (
    (lambda: kernels.dgemm(a, b), "dgemm takes the arrays A, B, C; got 2"),
    (lambda: kernels.dgemm(a, b[:3], c), "B: expected shape (20, 40) to go with the others, got (3, 40)"),
    (lambda: kernels.dgemm(a.astype("f4"), b, c), "A: expected a numpy array of float64, got float32"),
    (lambda: kernels.dgemm(a, b, c, gamma=1.0), "dgemm takes the scalars alpha, beta by keyword; got gamma"),
    (lambda: kernels.dgemm(c[:20, :20], c[:20, 20:], c[:20, :20]), "C and A overlap"),
    (lambda: kernels.jacobi2d(u, v), "jacobi2d also needs t, by keyword"),
):
    try:
        wrong()
    except (TypeError, ValueError) as error:
        assert said in str(error), error
    else:
        raise AssertionError(said)
print(kernels.dgemm, kernels.dgemm.__doc__)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("package")
    runs = [naive_run(root, name) for name in ("dgemm", "sgemm_trans", "daxpy", "jacobi2d")]
    with open_source(runs, Selection(unchecked=True)) as source:
        FORMATS["python"].write(source, root / "out")
    return root / "out"


def test_pip_builds_a_package_whose_functions_check_and_compute(exported: Path, tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), str(exported)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    use = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{USE}"
    done = subprocess.run([sys.executable, "-c", use], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "<kernel dgemm(A, B, C)> C = alpha A B + beta C on row-major matrices of double\n"


def test_the_package_does_not_mention_qdkernel_as_a_module(exported: Path) -> None:
    for path in exported.rglob("*.py"):
        assert "import qdkernel" not in path.read_text()
        assert "from qdkernel" not in path.read_text()
