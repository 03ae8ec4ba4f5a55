"""Runs a command and turns whatever happens into an exit code.

0 done, 1 the user can put it right, 130 interrupted, 3 our bug.
"""

from __future__ import annotations

import errno
import sys

import typer

from qdkernel.cli.app import app
from qdkernel.cli.streams import abandon, complain, usable_streams
from qdkernel.errors import QdkernelError

_ADVICE = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the host's limit on open files",
    errno.EAGAIN: "raise the limit on processes (ulimit -u)",
    errno.ENOMEM: "free some memory, raise the limit on it (ulimit -v), or choose smaller sizes",
    errno.EACCES: "check the rights of the file and its folder",
    errno.EPERM: "check the rights of the file and its folder",
    errno.EROFS: "choose a folder that can be written to",
}


def main() -> None:
    """Entry point; turns whatever happens into one of the four exit codes."""
    sys.exit(_run())


def _run() -> int:
    if not usable_streams():
        return 1
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # a full disk shows here, not while Python shuts down
    except QdkernelError as error:
        complain(str(error))
        return 1
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; Python would complain while shutting down
        return 1
    except Exception as error:
        return _from_outside(error) or _usage_or_bug(error)
    return code if isinstance(code, int) else 0


def _from_outside(error: Exception) -> int | None:
    """Reports what the host refused: exit code 1; ``None`` for every other error."""
    if isinstance(error, MemoryError):
        complain("there is not enough memory; " + _ADVICE[errno.ENOMEM])
        return 1
    if not isinstance(error, OSError) or error.errno is None:
        return None
    where = f"{error.filename}: " if error.filename else ""
    advice = _ADVICE.get(error.errno)
    complain(f"{where}{error.strerror}" + (f"; {advice}" if advice else ""))
    abandon(sys.stdout)
    return 1


def _usage_or_bug(error: Exception) -> int:
    # typer's usage errors come from click or from its own copy of it, depending on its version
    show = getattr(error, "show", None)
    if show is not None and hasattr(error, "exit_code"):
        show()
        return 1
    import traceback

    traceback.print_exc()
    print("qdkernel: this is a bug in qdkernel; please report it with the lines above", file=sys.stderr)
    return 3
