"""Trusted C as a module of cffi: API mode where Python's headers are, ABI mode elsewhere; the same to its users."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.errors import ToolchainError
from qdkernel.evaluators.toolchain import Toolchain, load_module

DECLARATIONS = "int twice(int);"
SOURCE = "int twice(int x) { return 2 * x; }"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QDKERNEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def without_headers(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"include": str(folder)})


def test_a_module_of_api_mode_has_the_declared_functions(toolchain: Toolchain) -> None:
    module = load_module(toolchain, "_qd_twice", DECLARATIONS, SOURCE)
    assert module.lib.twice(21) == 42
    assert module.__file__.endswith("_qd_twice.so")
    with pytest.raises(TypeError):
        module.lib.twice("21")  # an extension module checks its arguments


def test_without_pythons_headers_the_functions_are_the_same(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_headers(monkeypatch, tmp_path)
    module = load_module(toolchain, "_qd_twice", DECLARATIONS, SOURCE)
    assert module.lib.twice(21) == 42


def test_a_module_is_built_once(toolchain: Toolchain, cache: Path) -> None:
    load_module(toolchain, "_qd_twice", DECLARATIONS, SOURCE)
    [built] = cache.rglob("_qd_twice.so")
    made = built.stat().st_mtime_ns
    load_module(toolchain, "_qd_twice", DECLARATIONS, SOURCE)
    assert built.stat().st_mtime_ns == made
    load_module(toolchain, "_qd_twice", DECLARATIONS, SOURCE.replace("2", "3"))
    assert len(list(cache.rglob("_qd_twice.so"))) == 2


def test_building_prints_nothing(toolchain: Toolchain, capfd: pytest.CaptureFixture[str]) -> None:
    load_module(toolchain, "_qd_twice", DECLARATIONS, SOURCE)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("headers", [True, False])
def test_source_that_does_not_compile_is_reported_with_the_diagnostics(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: bool
) -> None:
    if not headers:
        without_headers(monkeypatch, tmp_path)
    with pytest.raises(ToolchainError, match="unknown type name"):
        load_module(toolchain, "_qd_broken", DECLARATIONS, "integer twice(int x) { return 2 * x; }")
