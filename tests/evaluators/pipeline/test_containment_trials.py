from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qdkernel.commands.host import doctor
from qdkernel.evaluators.pipeline import only_by, run_trials
from qdkernel.evaluators.pipeline.containment_trials import Trial
from qdkernel.evaluators.sandbox import Layers
from qdkernel.evaluators.toolchain import NATIVE, find_toolchain
from tests.conftest import make_spec

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")


@pytest.mark.slow
@needs_gcc
def test_every_hostile_kernel_is_stopped_and_seccomp_and_limits_are_needed(tmp_path: Path) -> None:
    trials = run_trials(make_spec(tmp_path))
    assert [trial.name for trial in trials if not trial.stopped] == []
    assert {trial.name for trial in trials} == {p.stem.replace("_", " ") for p in (NATIVE / "hostile").glob("*.c")}
    assert "start process" in only_by(trials, Layers.SECCOMP)
    assert only_by(trials, Layers.LIMITS) == ["much memory"]
    assert not any(trial.without for trial in trials if trial.name in only_by(trials, Layers.SECCOMP))


def test_doctor_says_what_was_not_stopped_and_what_only_one_layer_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [
        Trial("open socket", True, "refused with error 1", Layers.SECCOMP, False),
        Trial("read file", True, "refused with error 13", Layers.SECCOMP | Layers.LANDLOCK, False),
        Trial("never end", True, "not done after 0.3 s", Layers.NONE, True),
        Trial("much memory", False, "it succeeded", Layers.NONE, False),
    ]
    monkeypatch.setattr(doctor, "run_trials", lambda _: trials)
    found = doctor._trials(find_toolchain("gcc", ("-O3",)))
    assert found["hostile kernels"] == {
        "open socket": "stopped (refused with error 1) by seccomp",
        "read file": "stopped (refused with error 13) by landlock, seccomp",
        "never end": "stopped (not done after 0.3 s) by memory layout or deadline",
        "much memory": "NOT STOPPED",
    }
    assert found["without the layer"]["seccomp"] == "nothing else stops: open socket"
    assert found["without the layer"]["landlock"] == "another layer stops all of these"
