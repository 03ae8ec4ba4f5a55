"""``qdkernel watch``: the page of a run, or of a folder of runs, served live to this machine's browser."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

from qdkernel.errors import QdkernelError

_LOWEST = 19  # the least share of a core that Linux gives


def watch(folder: Path, port: int) -> int:
    """Serves until interrupted; prints the address."""
    try:
        import uvicorn

        from qdkernel.web.live import make_app, new_token
    except ImportError as error:
        raise QdkernelError(f"watch needs {error.name}: pip install 'qdkernel[serve]'") from error
    token = new_token()
    app = make_app(folder, token)
    with contextlib.suppress(OSError):
        os.nice(_LOWEST)
    with _listening(port) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/{token}/", flush=True)
        print("qdkernel: open this address in a browser on this machine; interrupt to end", file=sys.stderr, flush=True)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
        )
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()  # before the address is printed: a browser that is quick waits instead of failing
    except OSError as error:
        listener.close()
        raise QdkernelError(
            f"port {port} cannot be used ({error.strerror}); give another --port, or 0 for any free one"
        ) from error
    return listener
