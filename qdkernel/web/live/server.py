"""The server of ``qdkernel watch``: read-only, for this machine's user alone.

It listens on the loopback interface; the address begins with a random token, since others may have accounts on the
host; other names than the loopback interface's are refused, since a page elsewhere could point its own name here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route

from qdkernel.core import printable
from qdkernel.errors import RunFolderError
from qdkernel.machine import CoreLock
from qdkernel.web.json_text import json_text
from qdkernel.web.live.run import LiveRun
from qdkernel.web.live.run_list import run_rows
from qdkernel.web.page import page, policy, render
from qdkernel.web.reading import RunReader, find_runs
from qdkernel.web.view import ComparisonView, compare_runs

LOOK_EVERY_S = 0.5  # at the status of a run's file; reading is far rarer, see live.py


class Site:
    """Pages of the runs in a folder, or of one run.

    Args:
        folder: a run folder or a folder of runs; looked at again with every request.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._single = (folder / "run.db").is_file()
        self._live: dict[str, LiveRun] = {}

    def routes(self) -> list[Route]:
        """What can be asked for, below the token."""
        return [
            Route("/", self.index),
            Route("/compare", self.compare),
            Route("/run/{name}/", self.run),
            Route("/run/{name}/update", self.update),
            Route("/run/{name}/events", self.events),
            Route("/run/{name}/view.json", self.view),
            Route("/run/{name}/record/{number:int}", self.record),
        ]

    async def index(self, request: Request) -> Response:
        """The list of runs; with one run its page."""
        runs = await run_in_threadpool(find_runs, self._folder)
        if self._single:
            return RedirectResponse(f"run/{next(iter(runs))}/")
        rows = await run_in_threadpool(run_rows, runs)
        body = render("list_body.html.j2", rows=rows, folder=printable(str(self._folder)))
        return HTMLResponse(page("qdkernel runs", body, {"live": True}, live=True))

    async def run(self, request: Request) -> Response:
        """The page of a run."""
        live = await self._find(request)
        found = await run_in_threadpool(live.snapshot)
        data = {"live": True, "events": True, "replay": found.replay}
        return HTMLResponse(page(found.view.name, found.body, data, live=True))

    async def update(self, request: Request) -> Response:
        """What the page of a run needs to bring itself up to date."""
        live = await self._find(request)
        found = await run_in_threadpool(live.snapshot)
        return _json({"body": str(found.body), "data": {"replay": found.replay}})

    async def view(self, request: Request) -> Response:
        """The view of a run for other programs."""
        live = await self._find(request)
        found = await run_in_threadpool(live.snapshot)
        return _json(found.view.to_json())

    async def record(self, request: Request) -> Response:
        """All about one evaluation."""
        live = await self._find(request)
        found = await run_in_threadpool(live.details, request.path_params["number"])
        return _json(found) if found else PlainTextResponse("no such evaluation", 404)

    async def compare(self, request: Request) -> Response:
        """Several runs side by side: ``compare?run=A&run=B``."""
        names = list(dict.fromkeys(request.query_params.getlist("run")))
        if len(names) < 2:
            raise RunFolderError("choose two runs or more to compare")
        runs = await run_in_threadpool(find_runs, self._folder)
        paths = [_known(runs, name) for name in names]
        view = await run_in_threadpool(_compared, paths)
        body = render("compare_body.html.j2", view=view, back="./", links={name: f"run/{name}/" for name in names})
        return HTMLResponse(page("runs side by side", body, {"live": True}, live=True))

    async def events(self, request: Request) -> Response:
        """Server-sent events: ``changed`` whenever the run has grown and may be read."""
        live = await self._find(request)
        return StreamingResponse(_changes(live, request), media_type="text/event-stream")

    @property
    def _back(self) -> str:
        return "" if self._single else "../../"

    async def _find(self, request: Request) -> LiveRun:
        name = request.path_params["name"]
        if name not in self._live:
            runs = await run_in_threadpool(find_runs, self._folder)
            self._live.setdefault(name, LiveRun(_known(runs, name), self._back))
        return self._live[name]


def make_app(folder: Path, token: str) -> Starlette:
    """The application; every address begins with ``/<token>/``.

    Raises:
        RunFolderError: there is no run in the folder.
    """
    find_runs(folder)
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    site = Starlette(routes=Site(folder).routes(), exception_handlers={RunFolderError: _explained})
    return Starlette(
        routes=[Mount("/{given}", app=_Guarded(site, token))],
        middleware=[hosts],
    )


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(16)


class _Guarded:
    """Lets only requests with the token through, and adds the headers that every answer has."""

    def __init__(self, app: Starlette, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # Any: ASGI
        given = scope.get("path_params", {}).get("given", "")
        app: Any = self._app if hmac.compare_digest(given.encode(), self._token.encode()) else _NOT_FOUND

        async def send_with_headers(message: Any) -> None:  # Any: ASGI
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_headers()]
            await send(message)

        await app(scope, receive, send_with_headers)


_NOT_FOUND = PlainTextResponse("not found; open the address that qdkernel watch printed", 404)


def _headers() -> list[tuple[bytes, bytes]]:
    values = {
        "content-security-policy": policy(live=True) + "; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
    }
    return [(name.encode(), value.encode()) for name, value in values.items()]


async def _explained(request: Request, error: Exception) -> Response:
    return PlainTextResponse(printable(str(error)), 404)


async def _changes(live: LiveRun, request: Request) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    seen = live.stamp()
    while not await request.is_disconnected():
        with contextlib.suppress(OSError):  # the folder may be moved away; the page stays as it is
            stamp = live.stamp()
            if stamp != seen and not live.wait_s():
                seen = stamp
                yield "event: changed\ndata: \n\n"
        await asyncio.sleep(LOOK_EVERY_S)


def _json(value: Mapping[str, Any]) -> Response:  # Any: JSON values
    return Response(json_text(value), media_type="application/json")


def _compared(paths: Sequence[Path]) -> ComparisonView:
    with CoreLock().shared():
        return compare_runs([RunReader(path).read() for path in paths])


def _known(runs: Mapping[str, Path], name: str) -> Path:
    if name not in runs:
        raise RunFolderError(f"no run {name!r} here")
    return runs[name]
