"""Proxies and certificates in the environment: used where they apply, told where they cannot be used."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from qdkernel.errors import ConfigError
from qdkernel.llm import Endpoint, EndpointSpec
from qdkernel.llm.network import proxy_of
from tests.llm.endpoints import ASK, Waits
from tests.llm_server import ModelServer, in_turn

REMOTE = "https://api.example/v1"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.upper, PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_PROXY": "http://127.0.0.1:1"},
        {"http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"},
        {"ALL_PROXY": "socks5://127.0.0.1:1"},
        {"ALL_PROXY": "nonsense://"},
        {"SSL_CERT_FILE": "/nowhere/ca.pem"},
        {"SSL_CERT_DIR": "/nowhere"},
    ],
)
def test_a_server_on_this_machine_is_asked_directly(
    environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with ModelServer(in_turn("void")) as server:
        spec = EndpointSpec("m", server.base_url, "x", attempts=1)
        with contextlib.closing(Endpoint(spec, {}, Waits())) as endpoint:
            assert endpoint.complete(ASK).text == "void"


def test_a_server_elsewhere_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(in_turn("void")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url.removesuffix("/v1"))
        spec = EndpointSpec("m", "http://model.invalid/v1", "x", attempts=1)
        with contextlib.closing(Endpoint(spec, {}, Waits())) as endpoint:
            assert "model.invalid" in endpoint.listed()
    assert proxy.paths == ["http://model.invalid/v1/models"]


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ({"https_proxy": "http://lower", "HTTPS_PROXY": "http://upper"}, "http://lower"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://upper"}, "http://upper"),
        ({"HTTP_PROXY": "http://p"}, None),
        ({"ALL_PROXY": "p:3128"}, "http://p:3128"),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "example"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": ".other, api.example"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "other.org"}, "http://p"),
    ],
)
def test_the_proxy_of_a_url_is_that_of_its_scheme(environ: Mapping[str, str], proxy: str | None) -> None:
    assert proxy_of(REMOTE, environ)[1] == proxy


@pytest.mark.parametrize(
    ("value", "kind"),
    [("socks4://user:hunter2@p:1", "socks4"), ("ftp://p", "ftp"), ("http://[p", "http")],
)
def test_a_proxy_that_cannot_be_used_is_a_mistake_that_names_its_variable(
    value: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(ConfigError) as caught:
        Endpoint(EndpointSpec("m", REMOTE, "x"), {})
    assert str(caught.value) == (
        f"ALL_PROXY: expected a proxy such as http://proxy.example:3128, got one of the kind {kind!r} that cannot be "
        "used; correct or unset it, or add api.example to NO_PROXY"
    )


def test_a_socks_proxy_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://p:1080")
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    with pytest.raises(ConfigError, match="got one of the kind 'socks5' that cannot be used; pip install socksio; "):
        Endpoint(EndpointSpec("m", REMOTE, "x"), {})


def test_stale_certificates_are_a_mistake_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ConfigError) as caught:
        Endpoint(EndpointSpec("m", REMOTE, "x"), {})
    assert str(caught.value) == (
        "SSL_CERT_FILE: expected certificates in PEM format, got '/nowhere/ca.pem', which cannot be read (No such file "
        "or directory); correct or unset it"
    )
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE: expected certificates in PEM format"):
        Endpoint(EndpointSpec("m", REMOTE, "x"), {})
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    with pytest.raises(ConfigError, match="SSL_CERT_DIR: expected certificates"):
        Endpoint(EndpointSpec("m", REMOTE, "x"), {})
