"""The ``evaluators`` section: on which machines kernels are evaluated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from qdkernel.config.section import PositiveInt, Section, Word, mistake


def _check_walltime(text: str) -> str:
    if re.fullmatch(r"\d+:[0-5]\d:[0-5]\d", text) is None:
        raise mistake(f"expected hours, minutes and seconds, e.g. '02:00:00', got {text!r}")
    return text


class NodesConfig(Section):
    """Equal nodes that Parsl asks a scheduler for; they are exclusive, as a benchmark needs."""

    provider: Literal["slurm", "pbs", "local"] = Field(
        default="slurm", description="The scheduler; local starts the workers on this machine, to try things out."
    )
    nodes: PositiveInt = Field(default=1, description="Nodes of one job.")
    jobs: PositiveInt = Field(default=1, description="Jobs at the same time, at most.")
    workers: PositiveInt = Field(
        default=1, description="Workers of a node: kernels compiled and verified there at once. Timing is alone."
    )
    walltime: Annotated[str, AfterValidator(_check_walltime)] = Field(
        default="01:00:00", description="Of a job, HH:MM:SS; another is submitted when it ends before the run."
    )
    partition: Word | None = Field(default=None, description="Slurm's partition or PBS's queue; null for the default.")
    account: Word | None = Field(default=None, description="The account that is charged; null for the default.")
    options: tuple[Word, ...] = Field(
        default=(), description="Lines for the job script, e.g. '#SBATCH --constraint=genoa'."
    )
    setup: tuple[Word, ...] = Field(
        default=(), description="Shell lines run on each node first, e.g. 'module load gcc'."
    )


class EvaluatorsConfig(Section):
    """On which machines kernels are evaluated; the search itself stays in one process."""

    backend: Literal["local", "serial", "dask", "parsl"] = Field(
        default="local",
        description="local: worker processes of this machine; serial: one by one in this process, to debug; dask: the "
        "workers of a Dask cluster; parsl: nodes that Parsl gets from Slurm or PBS.",
    )
    scheduler: Word | None = Field(
        default=None,
        description="With dask, the address of the scheduler, e.g. tcp://login1:8786; null for a cluster of this "
        "machine with as many workers as workers says.",
    )
    nodes: tuple[NodesConfig, ...] = Field(default=(), description="With parsl, what nodes to ask for, kind by kind.")
    shared: Path = Field(
        default=Path(),
        description="With dask and parsl, a folder that this machine and all nodes see, relative to the current one.",
    )
    flagged: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05,
        description="A node whose baseline is slower than the median of its peers by this fraction is reported; 0.05 "
        "is beyond the noise of a calibration.",
    )
    excluded: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.15, description="A node slower by this fraction gets no more kernels; it is throttled or shared."
    )

    @property
    def distributed(self) -> bool:
        """Whether kernels are evaluated by workers that may be on other machines."""
        return self.backend in ("dask", "parsl")

    @model_validator(mode="after")
    def _fits_the_backend(self) -> Self:
        if (self.backend == "parsl") != bool(self.nodes):
            raise mistake(
                "expected nodes with backend: parsl, and only there; e.g. nodes: [{partition: compute, nodes: 4}]"
            )
        if self.scheduler is not None and self.backend != "dask":
            raise mistake(f"expected scheduler with backend: dask only, got it with backend: {self.backend}")
        if self.flagged > self.excluded:
            raise mistake(f"expected flagged <= excluded, got {self.flagged} and {self.excluded}")
        return self
