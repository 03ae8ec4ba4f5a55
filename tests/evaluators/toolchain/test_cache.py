from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.errors import ConfigError
from qdkernel.evaluators.toolchain import cache as _cache
from qdkernel.evaluators.toolchain import cache_dir, write_cached


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("QDKERNEL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    _cache._fresh_folder.cache_clear()
    yield
    _cache._fresh_folder.cache_clear()


def test_the_cache_is_a_private_folder_in_the_home(tmp_path: Path) -> None:
    folder = cache_dir()
    assert folder == tmp_path / "home" / ".cache" / "qdkernel"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_variable_of_the_xdg_specification_is_followed_when_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "qdkernel"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == tmp_path / "home" / ".cache" / "qdkernel"


def test_the_own_variable_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDKERNEL_CACHE", str(tmp_path / "a" / "b"))
    assert cache_dir() == tmp_path / "a" / "b"
    assert cache_dir().is_dir()


def test_an_own_variable_that_cannot_be_used_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QDKERNEL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ConfigError, match=r"QDKERNEL_CACHE=.*: expected a folder that can be made and written; name"):
        cache_dir()


def test_without_a_usable_home_a_private_temporary_folder_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    folder = cache_dir()
    assert folder == tmp_path / "temporary" / f"qdkernel-{os.geteuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache_dir() == folder


def test_a_temporary_folder_that_others_may_write_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    planted = tmp_path / "temporary" / f"qdkernel-{os.geteuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    folder = cache_dir()
    assert folder != planted
    assert folder.parent == tmp_path / "temporary"
    assert cache_dir() == folder


def test_a_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    assert write_cached(path, "one")
    assert write_cached(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_cannot_be_done_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not write_cached(tmp_path / "file" / "below.json", "text")
