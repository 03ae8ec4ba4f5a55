"""What a service is started with."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from qdkernel.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """Limits of the service.

    Attributes:
        host: address to listen on.
        port: TCP port; 0 for a free one.
        token: what a client must present; empty for no check.
        shape: of the rewards on the trainers' routes.
        max_queue: kernels that wait or are measured; more are answered 429.
        max_body_bytes: of a request.
        body_s: seconds in which a request's body must arrive.
        deadline_s: seconds after which a synchronous request is answered with its job instead.
        drain_s: seconds that kernels under way get when the service stops.
    """

    host: str = "127.0.0.1"
    port: int = 8077
    token: str = ""
    shape: str = "unit"
    max_queue: int = 1024
    max_body_bytes: int = 8 << 20
    body_s: float = 30.0
    deadline_s: float = 110.0  # slime's client gives up after 120 s
    drain_s: float = 30.0


def check_address(host: str, token: str) -> None:
    """Checks that only a service with a token listens where other machines reach it.

    Raises:
        ConfigError: a public address without a token.
    """
    if token or host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            f"--host {host} can be reached from other machines, so a token is needed: put one into "
            "QDKERNEL_SERVE_TOKEN (or a file named by --token-file), or listen on 127.0.0.1"
        )
