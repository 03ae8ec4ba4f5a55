"""Mistakes a user can mend.

QdkernelError                 exit code 1; the message states what was expected, what came, how to put it right
├── ConfigError               a configuration file or --set value
├── UnknownName               a problem, axis, level, cell, operator ... that does not exist
├── ToolchainError            no compiler, or one that cannot build the project's own C
├── ContainmentError          this machine cannot contain untrusted code
└── RunFolderError            a run folder that is missing, unreadable or of another version

A kernel that fails is not an error but a result: see ``qdkernel.evaluators.Outcome``.
This module imports nothing of the project; every floor may use it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QdkernelError(Exception):
    """A mistake the user can mend; the command line prints the message and exits with 1."""


class ConfigError(QdkernelError, ValueError):
    """A configuration that cannot be used; the message carries file, line and path of the entry."""


class UnknownName(QdkernelError, LookupError):
    """A name that is not in its registry; the message lists the choices and the nearest one."""


class ToolchainError(QdkernelError, RuntimeError):
    """The compiler or linker is missing or cannot build the project's own C."""


class ContainmentError(QdkernelError, RuntimeError):
    """A layer that contains untrusted code is missing on this machine."""


class RunFolderError(QdkernelError, OSError):
    """A run folder that is missing, unreadable, locked or of another version."""


class RecordingError(QdkernelError, ValueError):
    """A file of recorded evaluations that is not what the recorder writes."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for ``name`` not being one of the ``known`` things of a ``kind``.

    >>> str(unknown("mutator", "tiel", ["tile", "tune"]))
    "no mutator 'tiel'; did you mean 'tile'? (known: tile, tune)"
    """
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownName(f"no {kind} {name!r}; {hint}(known: {', '.join(choices)})")
