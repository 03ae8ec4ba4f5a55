"""A kernel given as a file on the command line, and the configuration to judge it with."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from qdkernel.config import BudgetConfig, Config, load_config
from qdkernel.core import Kernel
from qdkernel.errors import ConfigError, QdkernelError
from qdkernel.evaluators.source import SIZE_LIMIT
from qdkernel.problems import find_problem

_MAX_BYTES = 16 << 20  # larger files are not read at all; smaller ones are left to the source policy
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_kernel(path: Path) -> Kernel:
    """The kernel in a file; bytes that are not UTF-8 are kept, for the source policy to refuse.

    Raises:
        QdkernelError: the file cannot be read, is no regular file, or is larger than any kernel.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = next((name for test, name in _KINDS if test(found.st_mode)), "no file")
            raise QdkernelError(f"{path} is {kind}; expected a C file: save the kernel to one")
        if found.st_size > _MAX_BYTES:
            raise QdkernelError(f"{path} has {found.st_size} bytes; expected a C file of at most {SIZE_LIMIT}")
        return Kernel(path.read_bytes().decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise QdkernelError(f"{path} cannot be read ({error.strerror}); expected a C file") from error


def problem_config(problem: str, overrides: Sequence[str]) -> Config:
    """The default configuration of a problem with ``--set`` values applied.

    Raises:
        UnknownName: no such problem.
        ConfigError: an override that does not fit.
    """
    find_problem(problem)
    for override in overrides:
        if override.startswith("problem="):
            raise ConfigError(f"--set {override}: the problem is given by --problem")
    default = Config(problem=problem, budget=BudgetConfig(evaluations=1))
    return load_config(default.model_dump(mode="json"), overrides)
