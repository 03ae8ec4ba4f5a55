"""The HTTP client of an endpoint: proxy and certificates from the environment, no redirects, bounded bodies."""

from __future__ import annotations

import importlib
import ipaddress
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qdkernel.errors import ConfigError
from qdkernel.llm.chat import FailureKind
from qdkernel.llm.failures import Failure, Unusable, failure_of, read_error, timed_out
from qdkernel.llm.watch import Watches

if TYPE_CHECKING:
    import ssl

CONNECT_S = 10.0
"""Seconds for connecting: a server that is there accepts within a second, also across an ocean."""

_LONGEST_ERROR = 64 << 10  # bytes of an error's body that are read; the longest of good servers has about 2 kB
_PIECE = 64 << 10  # bytes unpacked at a time


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address, so that what is sent to it never leaves it."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified  # Linux connects to itself for 0.0.0.0


def open_client(base_url: str, timeout_s: float, watches: Watches, key_name: str | None) -> Any:
    """A client of the HTTP library that openai uses: httpx under openai 2, httpx2 under openai 3, hence ``Any``.

    Every request makes a connection of its own: a handshake is nothing beside a reply, a watch can shut it down, and
    no server can have closed it meanwhile.

    Args:
        base_url: the endpoint's.
        timeout_s: for one request.
        watches: know the watch of the thread that sends a request.
        key_name: the environment variable that holds the key, for advice.

    Raises:
        ConfigError: the proxy or the certificates that the environment names cannot be used.
    """
    import openai

    library = next(importlib.import_module(name) for name in _modules(openai.DefaultHttpxClient) if "httpx" in name)

    def watched(request: Any) -> None:
        if watch := watches.current:
            request.extensions = {**request.extensions, "trace": watch.trace}

    def refused(response: Any) -> None:
        if not 200 <= response.status_code < 300:
            raise Unusable(_error_of(response, watches, key_name))

    variable, proxy = proxy_of(base_url, os.environ)
    try:
        if proxy and not urlsplit(proxy).hostname:
            raise ValueError("no host")
        return openai.DefaultHttpxClient(
            base_url=base_url,
            timeout=library.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            follow_redirects=False,  # prompts and keys go nowhere else
            limits=library.Limits(max_connections=None, max_keepalive_connections=0),
            event_hooks={"request": [watched], "response": [refused]},
            trust_env=False,  # what of the environment counts is read here, where mistakes in it get a message
            proxy=proxy,
            verify=_certificates(base_url, library, os.environ),
        )
    except (ImportError, ValueError, library.InvalidURL) as error:
        if proxy is None:
            raise
        needs = "; pip install socksio" if isinstance(error, ImportError) else ""
        scheme = proxy.partition("://")[0]
        raise ConfigError(
            f"{variable}: expected a proxy such as http://proxy.example:3128, got one of the kind {scheme!r} that "
            f"cannot be used{needs}; correct or unset it, or add {urlsplit(base_url).hostname} to NO_PROXY"
        ) from None


def _modules(client: type) -> Iterator[str]:
    """The packages of a class and its bases."""
    return (base.__module__.partition(".")[0] for base in client.__mro__)


def proxy_of(url: str, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The environment variable that names the proxy for a URL, and the proxy; ``None`` for a direct connection.

    Loopback addresses are never asked through a proxy: it would look for the server on its own machine.
    """
    import urllib.request

    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return "", None
    given = {name.lower(): name for name in environ if name.lower().endswith("_proxy") and environ[name].strip()}
    given |= {name: name for name in given if environ.get(name, "").strip()}  # lower case goes first, as everywhere
    variable = given.get(f"{parts.scheme}_proxy") or given.get("all_proxy")
    no_proxy = environ[given["no_proxy"]] if "no_proxy" in given else ""
    if variable is None or urllib.request.proxy_bypass_environment(parts.netloc, {"no": no_proxy}):  # type: ignore[attr-defined]
        return "", None
    proxy = environ[variable].strip()
    return variable, proxy if "://" in proxy else f"http://{proxy}"


def _certificates(url: str, library: Any, environ: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust: SSL_CERT_FILE and SSL_CERT_DIR, else the library's list; both are ignored where no TLS is used."""
    import ssl

    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if urlsplit(url).scheme == "https" and (file or folder):
        try:
            if folder and not os.path.isdir(folder):
                raise NotADirectoryError(f"{folder!r} is no folder")
            return ssl.create_default_context(cafile=file or None, capath=folder or None)
        except (OSError, ValueError) as error:
            name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
            raise ConfigError(
                f"{name}: expected certificates in PEM format, got {environ[name]!r}, which cannot be read "
                f"({getattr(error, 'strerror', None) or error}); correct or unset it"
            ) from None
    context: ssl.SSLContext = library.create_ssl_context(trust_env=False)
    return context


def unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The body's bytes, in pieces of bounded size: a server may compress though it was asked not to.

    Args:
        chunks: as they arrive.
        encoding: of the ``Content-Encoding`` header.

    Raises:
        Unusable: another encoding than gzip and deflate.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        what = f"the body is compressed with {encoding[:20]!r}, though identity was asked for"
        raise Unusable(Failure(FailureKind.GARBLED, what))
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)  # 32: the header of gzip or zlib is recognized
    for chunk in chunks:
        while chunk:
            yield unpacker.decompress(chunk, _PIECE)
            chunk = unpacker.unconsumed_tail


def _error_of(response: Any, watches: Watches, key_name: str | None) -> Failure:
    """The failure in a response that is no success; reads a bounded part of its body until the watch's deadline."""
    body = bytearray()
    try:
        for piece in unpacked(response.iter_raw(), response.headers.get("content-encoding", "")):
            body += piece
            if len(body) >= _LONGEST_ERROR:
                break
    except Exception as error:  # the status is known, so a body cut short, or packed wrongly, only costs words
        if not body and isinstance(error, Unusable):
            body += failure_of(error, key_name).what.encode()
    watch = watches.current
    if watch and watch.expired:
        return timed_out()
    return read_error(response.status_code, bytes(body[:_LONGEST_ERROR]), response.headers, key_name)
