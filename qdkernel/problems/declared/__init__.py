"""Problems declared by a page of YAML and a plain C reference."""

from qdkernel.problems.declared.declaration import load_declaration
from qdkernel.problems.declared.problem import load_problems

__all__ = [
    "load_declaration",
    "load_problems",
]
