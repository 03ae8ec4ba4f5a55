"""Links at the top, a light package, a complete wheel; import-linter checks the rooms (pyproject.toml)."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGE = ROOT / "qdkernel"


@pytest.mark.parametrize("name", ["archives", "evaluators", "mutators"])
def test_the_three_parts_are_links_at_the_top(name: str) -> None:
    assert (ROOT / name).is_symlink()
    assert os.readlink(ROOT / name) == f"qdkernel/{name}"


def test_nothing_imports_the_links() -> None:
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                assert node.module.split(".")[0] not in ("archives", "evaluators", "mutators"), path


@pytest.mark.parametrize("module", ["qdkernel", "qdkernel.cli"])
def test_importing_stays_light(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('matplotlib', 'openai', 'ribs', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_workers_load_neither_the_archive_nor_a_model_client() -> None:
    heavy = ("matplotlib", "openai", "ribs")
    code = f"import sys, qdkernel.evaluators.pipeline; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_wheel_from_the_sdist_holds_every_package_and_installs_one_name(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".c", ".h", ".json", ".typed") and "__pycache__" not in path.parts
    }
    assert sources - set(names) == set()
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"qdkernel"}
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        assert any(member.name.endswith("qdkernel/evaluators/native/runner.c") for member in sdist.getmembers())


def test_no_file_names_this_machine() -> None:
    home = str(Path.home())
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.is_file() and path.suffix in (".py", ".c", ".h", ".md", ".yaml", ".toml"):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert f"{home}/" not in text, name
