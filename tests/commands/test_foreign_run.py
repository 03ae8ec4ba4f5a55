"""A run folder from somebody else chooses no program: not for ``load``, not for ``bench``, not for ``--resume``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qdkernel.commands.judge.bench import bench
from qdkernel.commands.search.evolve import EvolveOptions, evolve, sound_config
from qdkernel.errors import ConfigError
from qdkernel.loading import load
from tests.fake_runs import new_run

USES: dict[str, Callable[[Path], object]] = {
    "load": load,
    "bench": lambda path: bench(path, None, 1, None, 1, [], as_json=False),
    "resume": lambda path: evolve(
        sound_config(path / "config.yaml", []), path / "config.yaml", EvolveOptions(path, resume=True)
    ),
}


@pytest.mark.parametrize("use", USES)
def test_a_compiler_that_a_folder_brings_along_never_runs(use: str, tmp_path: Path) -> None:
    with new_run(tmp_path / "runs") as folder:
        path = folder.path
    compiler, ran = path / "gcc", path / "ran"
    compiler.write_text(f'#!/bin/sh\ntouch {ran}\nexec gcc "$@"\n')
    compiler.chmod(0o755)
    (path / "config.yaml").write_text(
        f"problem: dgemm\nbudget: {{evaluations: 1}}\ncompiler: {{command: {compiler}}}\n"
    )
    with pytest.raises(ConfigError, match=r"names what would run uncontained: compiler\.command"):
        USES[use](path)
    assert not ran.exists()
