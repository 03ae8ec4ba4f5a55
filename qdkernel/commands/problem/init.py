"""``qdkernel problem init``: a folder with the declaration and the kernel of a small problem, to be changed."""

from __future__ import annotations

import re
from pathlib import Path

from qdkernel.core import write_atomically
from qdkernel.errors import ConfigError

_DECLARATION = """\
# What is computed, and by what sizes it is judged and timed; docs/your-own-kernel.md explains each key.
name: NAME                   # the C function's name
summary: "y[i] = alpha x[i]^2 + y[i] over two vectors"
prototype: void NAME(int n, double alpha, const double *restrict x, double *restrict y)
sizes:
  n: {scored: beyond-cache}  # or extents such as [1000, 100000]
scalars:
  alpha: [0.5, 1.0, -2.0]    # values to be right for; the first is timed
arrays:
  x: {shape: [n]}
  y: {shape: [n], role: inout}
flops: 3 * n
"""

_KERNEL = """\
/* The definition, in plain C, and the first kernel of a search. */
void NAME(int n, double alpha, const double *restrict x, double *restrict y)
{
    for (int i = 0; i < n; i++)
        y[i] += alpha * x[i] * x[i];
}
"""


def init(name: str) -> int:
    """Writes the folder ``name`` below the current one.

    Raises:
        ConfigError: the name is no C identifier, or something of that name is there.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ConfigError(f"expected a C function's name such as my_kernel, got {name!r}")
    folder = Path(name)
    if folder.exists():
        raise ConfigError(f"{folder} is there already; choose another name, or remove it")
    folder.mkdir()
    for file, text in (("problem.yaml", _DECLARATION), (f"{name}_naive.c", _KERNEL)):
        write_atomically(folder / file, text.replace("NAME", name).encode())
    print(f"{folder}/problem.yaml and {folder}/{name}_naive.c are written; change them, then")
    print(f"  qdkernel problem check {folder}")
    print("and name the folder in a configuration:")
    print(f"  problem: ./{folder}")
    return 0
