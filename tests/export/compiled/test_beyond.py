"""Exported code is called far beyond the scored sizes first; what fails there is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Kernel
from qdkernel.errors import ConfigError
from qdkernel.export import FORMATS, Selection, open_source
from tests.evaluators.pipeline.beyond.test_calls import DGEMM, WIDE
from tests.export.compiled.conftest import of_level
from tests.export.compiled.made_runs import Elite, made_run
from tests.fake_runs import MACHINE

RIGHT = DGEMM.replace("INDEX", WIDE).replace("GUARD", "")
WRONG = DGEMM.replace("INDEX", WIDE).replace("GUARD", "if (m > 180 && n > 180 && k > 180) return;")
SLOW = Elite(RIGHT, {160: 1.0}, "none/128/serial/none")
FAST = Elite(WRONG, {160: 2.0}, "none/scalar/serial/none")


def dgemm_run(root: Path, *elites: Elite, **machine: Any) -> Path:  # Any: JSON values
    """A run at one size beyond those of the verification, compiled for every x86-64 CPU."""
    compiler = {**MACHINE["compiler"], "flags": ["-O2", "-march=x86-64", "-fopenmp"]}
    return made_run(root, "dgemm", elites, **{**of_level("sse2"), "compiler": compiler, **machine})


def export(run: Path, name: str, out: Path, **selection: Any) -> tuple[str, list[str]]:
    """The README of an export, empty for a format without one, and what was said meanwhile."""
    said: list[str] = []
    with open_source([run], Selection(**selection), say=said.append) as source:
        FORMATS[name].write(source, out)
    card = out / "README.md"
    return card.read_text() if card.exists() else "", said


@pytest.mark.parametrize("name", ["library", "c"])
def test_a_kernel_that_is_wrong_only_far_beyond_is_left_out(name: str, tmp_path: Path) -> None:
    run = dgemm_run(tmp_path, FAST, SLOW)
    text, said = export(run, name, tmp_path / "out")
    right, wrong = Kernel(RIGHT).id, Kernel(WRONG).id
    beginning = f"kernel {wrong[:12]}, none/scalar/serial/none, of {run} is left out: wrong: the result is wrong"
    assert [line for line in said if line.startswith(f"{beginning}, in a call of size m=")]
    sources = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.c"))
    assert wrong[:12] not in sources
    if name == "c":
        assert " * beyond     called far beyond the scored sizes\n" in sources
    else:
        row = f"| sse2 | m=160 n=160 k=160 | kernel {right[:12]}, none/128/serial/none, of run {run.name} | called far "
        assert row.replace("_", "\\_") in text


def test_a_run_of_which_nothing_is_right_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of the elites is right far beyond the scored sizes"):
        export(dgemm_run(tmp_path, FAST), "python", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["library", "python"])
def test_an_export_without_these_calls_states_it(name: str, tmp_path: Path) -> None:
    text, said = export(dgemm_run(tmp_path, FAST, SLOW), name, tmp_path / "out", unchecked=True)
    assert said == []
    assert "The export was made with `--unchecked`" in text
    assert "| sse2 | m=160 n=160 k=160 | kernel " + Kernel(WRONG).id[:12] in text
    assert "| not called far beyond the scored sizes |" in text


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"machine": {**MACHINE["machine"], "arch": "aarch64"}}, "they were made on aarch64, and this machine is"),
        ({"machine": {**MACHINE["machine"], "simd_widths": [128, 2048]}}, "they may use vectors of 2048 bits"),
    ],
    ids=["another architecture", "wider vectors"],
)
def test_kernels_that_cannot_be_called_here_need_the_option(
    machine: Mapping[str, object], reason: str, tmp_path: Path
) -> None:
    run = dgemm_run(tmp_path, SLOW, **machine)
    with pytest.raises(ConfigError, match="leave these calls out with --unchecked") as caught:
        export(run, "c", tmp_path / "out")
    assert reason in str(caught.value)
    assert not (tmp_path / "out").exists()
    export(run, "c", tmp_path / "out", unchecked=True)
    assert " * beyond     not called far beyond the scored sizes\n" in next((tmp_path / "out").iterdir()).read_text()
