from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.config import check_foreign, load_config
from qdkernel.errors import ConfigError
from tests.paths import ROOT

LEAST = {"problem": "dgemm", "budget": {"evaluations": 1}}


@pytest.mark.parametrize("engine", ["slurm", "dask"])
def test_the_examples_of_clusters_are_sound(engine: str) -> None:
    config = load_config(ROOT / "examples" / engine / "gemm.yaml")
    assert config.evaluators.distributed
    assert config.evaluators.backend == {"slurm": "parsl", "dask": "dask"}[engine]


@pytest.mark.parametrize(
    ("evaluators", "complaint"),
    [
        ("{backend: parsl}", "expected nodes with backend: parsl, and only there"),
        ("{nodes: [{partition: p}]}", "expected nodes with backend: parsl, and only there"),
        ("{scheduler: 'tcp://h:1'}", "expected scheduler with backend: dask only, got it with backend: local"),
        ("{flagged: 0.3}", "expected flagged <= excluded, got 0.3 and 0.15"),
        (
            "{backend: parsl, nodes: [{walltime: '90'}]}",
            "expected hours, minutes and seconds, e.g. '02:00:00', got '90'",
        ),
    ],
)
def test_mistakes_about_evaluators_are_named(evaluators: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(LEAST, [f"evaluators={evaluators}"])
    assert complaint in str(caught.value)


def test_a_foreign_run_folder_may_not_choose_a_cluster() -> None:
    config = load_config({**LEAST, "evaluators": {"backend": "dask", "scheduler": "tcp://elsewhere:1"}})
    with pytest.raises(ConfigError, match="no evaluators on a cluster"):
        check_foreign(config, [], Path("run"))
    check_foreign(config, ["evaluators.backend=dask"], Path("run"))
