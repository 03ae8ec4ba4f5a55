"""An endpoint connected to the programmed server, for the tests of the client."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from qdkernel.llm import CallFailed, Endpoint, EndpointSpec, Message
from tests.llm_server import ModelServer, Script

KEY = "sk-test-0123456789-abcdefghij-wxyz"
ENVIRON = {"MODEL_KEY": KEY}
ASK = (Message("system", "You write kernels."), Message("user", "Write one."))
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@dataclass
class Waits:
    """Stands in for the clock between attempts: remembers what it was asked to wait, and may stop the run."""

    stop_at: int = 10**6
    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return len(self.seconds) >= self.stop_at


@contextlib.contextmanager
def connected(script: Script, waits: Waits | None = None, **options: Any) -> Iterator[tuple[Endpoint, ModelServer]]:
    with ModelServer(script) as server:
        spec = EndpointSpec("m", server.base_url, "scripted", "MODEL_KEY", **{"timeout_s": 5.0, **options})
        with contextlib.closing(Endpoint(spec, ENVIRON, waits or Waits())) as endpoint:
            yield endpoint, server


def fail(script: Script, waits: Waits | None = None, **options: Any) -> tuple[CallFailed, ModelServer]:
    with connected(script, waits, **options) as (endpoint, server), pytest.raises(CallFailed) as caught:
        endpoint.complete(ASK)
    error = caught.value
    assert error.attempts == len(server.requests)
    text = str(error)
    assert 0 < len(text) <= 300
    assert text.isprintable()
    assert KEY not in "".join(traceback.format_exception(error))
    assert error.__cause__ is None
    assert error.__context__ is None
    return error, server
