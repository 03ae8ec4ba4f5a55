"""Where files that cost time to make again are kept between runs: peaks, built helpers."""

from __future__ import annotations

import functools
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qdkernel.core import write_atomically
from qdkernel.errors import ConfigError

VARIABLE = "QDKERNEL_CACHE"


def cache_dir() -> Path:
    """The folder for this user's cached files; it exists and is writable.

    ``$QDKERNEL_CACHE``, else ``$XDG_CACHE_HOME/qdkernel``, else ``~/.cache/qdkernel``, else (no home, or a read-only
    one) a folder in the system's temporary one. Folders made here are readable by their owner only; because
    programs are kept here, one that others may write to is passed over unless ``$QDKERNEL_CACHE`` names it.

    Raises:
        ConfigError: ``$QDKERNEL_CACHE`` is set but cannot be made or written.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        folder = Path(os.path.expanduser(chosen)).absolute()
        if not _made(folder):
            raise ConfigError(
                f"{VARIABLE}={chosen}: expected a folder that can be made and written; name another, or unset it"
            )
        return folder
    user_folder = _user_folder()
    if user_folder is not None and _made(user_folder) and _private(user_folder):
        return user_folder
    return _temporary_folder()


def write_cached(path: Path, text: str) -> bool:
    """Writes a file of the cache, in one step, for its owner only; ``False`` when it cannot be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, text.encode(), 0o600)
    except OSError:
        return False
    return True


def read_kept(path: Path, method: str) -> dict[str, Any] | None:  # Any: JSON of a file, to be checked
    """What ``write_kept`` put there by the same method; ``None`` when absent, damaged or measured in another way."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # RecursionError: thousands of brackets
        return None
    return kept if isinstance(kept, dict) and kept.pop("method", None) == method else None


def write_kept(path: Path, method: str, found: Mapping[str, Any]) -> None:  # Any: JSON
    """Keeps what was measured; ``method`` changes with the measurement, so that an upgrade measures anew."""
    write_cached(path, json.dumps({"method": method, **found}, indent=1))


def _user_folder() -> Path | None:
    # The XDG specification: a path in the variable that is not absolute is to be ignored.
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "qdkernel"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "qdkernel" if os.path.isabs(home) else None


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _private(folder: Path) -> bool:
    """Whether the folder is ours, not a link, and writable by no other user."""
    facts = folder.lstat()
    others_write = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not others_write


def _temporary_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"qdkernel-{os.geteuid()}"
    # The name is easy to guess: another user may have put a folder or a link there first.
    return folder if _made(folder) and _private(folder) else _fresh_folder()


@functools.cache
def _fresh_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="qdkernel-"))
