"""One deadline over a whole request: connecting, headers, body, whatever the server sends meanwhile.

The HTTP client's own time limit starts anew with every piece that arrives, so a server that sends a byte now and then,
or interim responses without end, would keep it for ever. Here a timer shuts the connection down from outside.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any


class Watch:
    """The deadline of one request. Looking up the host's name cannot be interrupted; it ends by the resolver's limits.

    Args:
        timeout_s: from now.
    """

    def __init__(self, timeout_s: float) -> None:
        self.expired = False
        self._over = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(timeout_s, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
            for connection in self._sockets:
                connection.close()
            self._sockets.clear()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:  # Any: as the client calls it
        """The HTTP library's trace extension: notes every connection that is made for the request."""
        if not event.endswith("connect_tcp.complete"):
            return
        made = info["return_value"].get_extra_info("socket")
        with self._lock:
            # A copy: TLS takes the descriptor of the original away, and shutting a copy down ends both.
            self._sockets.append(made.dup())
            if self._over:
                self._shut_down()

    def stop(self) -> None:
        """Ends the request now."""
        with self._lock:
            self._over = True
            self._shut_down()

    def _expire(self) -> None:
        with self._lock:
            if not self._over:
                self.expired = self._over = True
                self._shut_down()

    def _shut_down(self) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Watches:
    """The watches of all requests under way, each known to the thread of its request."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._all: set[Watch] = set()
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def over(self, timeout_s: float) -> Iterator[Watch]:
        """Watches over the request that this thread sends meanwhile."""
        with Watch(timeout_s) as watch:
            with self._lock:
                self._all.add(watch)
                if self._closed:
                    watch.stop()
            self._here.watch = watch
            try:
                yield watch
            finally:
                self._here.watch = None
                with self._lock:
                    self._all.discard(watch)

    @property
    def current(self) -> Watch | None:
        """This thread's."""
        watch: Watch | None = getattr(self._here, "watch", None)
        return watch

    def close(self) -> None:
        """Ends all requests, those to come included."""
        with self._lock:
            self._closed = True
            for watch in self._all:
                watch.stop()
