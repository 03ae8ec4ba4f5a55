"""What a configuration from a run folder may name without the user's consent: such a folder may come from elsewhere.

The compiler's command, some of its flags (``-fplugin``, ``-B``, ``-specs``), a baseline library and an agent are
programs that a user chooses, so a folder that was copied from elsewhere must not choose them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from qdkernel.config.model import Config
from qdkernel.errors import ConfigError

_COMPILERS = ("gcc", "cc")
_FLAG = re.compile(r"-(?:O|m|f|g|std=)[A-Za-z0-9_=+,.-]*\Z")  # no path: nothing is read from or written to a folder
_UNTRUSTED = re.compile(
    r"-f(?:plugin|dump|profile|auto-profile|use-ld|offload|save-|opt-info|callgraph-info|compare-debug|lto)"
)
"""Options that load a program, choose one, or read and write files."""


def check_foreign(config: Config, overrides: Sequence[str], folder: Path) -> None:
    """Refuses what the configuration of a run folder may only choose with ``--trust``.

    Entries that ``overrides`` set are the user's own and pass.

    Args:
        config: of the folder, with ``overrides`` applied.
        overrides: ``path=value`` texts of the command line.
        folder: for messages.

    Raises:
        ConfigError: it names a compiler other than gcc or cc, a flag that is not known to be harmless, a library,
            evaluators on a cluster or an agent.
    """
    own = {text.partition("=")[0].strip() for text in overrides}
    found = []
    if config.compiler.command not in _COMPILERS and "compiler.command" not in own:
        found.append(("compiler.command", config.compiler.command))
    if "compiler.flags" not in own:
        found += [("compiler.flags", flag) for flag in config.compiler.flags if not _is_harmless(flag)]
    if config.baseline.library is not None and "baseline.library" not in own:
        found.append(("baseline.library", str(config.baseline.library)))
    if config.evaluators.distributed and not any(text.startswith("evaluators") for text in own):
        found.append(("evaluators.backend", config.evaluators.backend))
    if any(mutator.agent for mutator in config.mutators) and not any(text.startswith("mutators") for text in own):
        found.append(("mutators", "agent"))
    if found:
        named = ", ".join(f"{entry} {value!r}" for entry, value in found)
        raise ConfigError(
            f"{folder}: its configuration names what would run uncontained: {named}; expected the compiler gcc or cc, "
            "flags that begin with -O, -m, -f, -g or -std, no library, no evaluators on a cluster and no agent; name "
            "them yourself with --set, or pass --trust (load: trust=True) if the folder is yours"
        )


def _is_harmless(flag: str) -> bool:
    return _FLAG.match(flag) is not None and not _UNTRUSTED.match(flag)
