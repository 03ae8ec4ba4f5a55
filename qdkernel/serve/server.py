"""Runs the application under uvicorn until a signal; a stop is graceful and loses no accepted job."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from qdkernel.errors import ConfigError
from qdkernel.serve.guard import Guard
from qdkernel.serve.metrics import metrics_text
from qdkernel.serve.routes import Draining, make_app
from qdkernel.serve.service import Service
from qdkernel.serve.settings import Settings

_CONNECTIONS = 1024
_GRACE_S = 10  # for answers under way; requests that wait for a verdict are answered at once


class _Server(uvicorn.Server):
    """uvicorn without raising the signal again after the shutdown: a graceful stop is exit code 0."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Answers waiting requests, then uvicorn's own shutdown."""
        self._draining.begin()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Interrupt and termination stop the server while the block runs."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self.handle_exit) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


def serve_until_stopped(service: Service, settings: Settings, say: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM; then kernels under way are finished, and jobs that wait stay in the journal.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    draining = Draining()
    guards: list[Guard] = []
    app = make_app(service, settings, draining, lambda: metrics_text(service, guards[0]))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        draining.attach()
        resumed = service.resume()
        if resumed:
            say(f"going on with {resumed} jobs that were accepted before")
        yield
        service.close(settings.drain_s)

    app.router.lifespan_context = lifespan
    guards.append(Guard(app, settings))
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        guards[0],
        log_level="warning",
        access_log=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
    )
    say(f"judging {service.judge.function} at http://{host}:{port} (interactive description at /docs)")
    with listener:
        _Server(config, draining).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigError(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror or error}); choose another "
            "--host or --port"
        ) from error
