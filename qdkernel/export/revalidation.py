"""Elites timed again before an export: they were chosen for their speed, so the speed on record is rather too high."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from qdkernel.config import check_foreign, load_config
from qdkernel.core import Evaluation, Outcome
from qdkernel.errors import ConfigError
from qdkernel.runs import Record, RunFolder, elites
from qdkernel.search import longer_spec, open_environment, recorded_baseline, time_again

FAILURES = (Outcome.WRONG, Outcome.CRASHED)
"""As at the end of a run: other outcomes depend on the host, too."""

_REPEATS = 2  # as many as `qdkernel bench` makes


def elites_timed_again(folder: RunFolder, say: Callable[[str], None], trust: bool) -> dict[int, Evaluation]:
    """New evaluations of a run's elites, by the numbers of their old ones; some seconds for each.

    Each is also called far beyond the scored sizes. ``trust`` accepts any compiler and flags that the run names.

    Raises:
        ConfigError: the run was measured on another machine or other sizes, so the speeds would not compare, or its
            configuration names what would run uncontained.
    """
    config = load_config(folder.path / "config.yaml", files_must_exist=False)
    if not trust:
        check_foreign(config, (), folder.path)
    recorded = recorded_baseline(folder.machine, config)
    if recorded is None:
        raise ConfigError(
            f"--revalidate: {folder.path} was measured on {folder.facts.cpu} with {folder.facts.threads} threads, "
            "which is not what this machine offers; export it there, or leave --revalidate out"
        )
    held = list(elites(folder.evaluations.records()).values())
    if not held:
        return {}
    say(f"{folder.path}: {len(held)} elites are timed again")
    with open_environment(config, say) as environment:
        kernels = [record.proposal.kernel for record in held]
        spec = replace(longer_spec(environment), thorough=True)
        found = time_again(spec, kernels, _REPEATS, recorded)
    return {record.number: evaluation for record, evaluation in zip(held, found, strict=True)}


def with_revalidation(record: Record, again: Mapping[int, Evaluation]) -> Record:
    """The record with its new speed, or with the failure that cost it its cell; otherwise unchanged."""
    found = again.get(record.number)
    if found is None or found.outcome not in (Outcome.OK, *FAILURES):
        return record
    old = record.evaluation
    if found.outcome is Outcome.OK:
        evaluation = replace(old, measured=found.measured)
    else:
        evaluation = replace(old, outcome=found.outcome, detail=found.detail, verification=found.verification)
    return replace(record, evaluation=evaluation, num_measurements=record.num_measurements + _REPEATS)
