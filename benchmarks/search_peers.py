"""Searches over a recorded space: qdkernel's own loop, and the peers that benchmarks/search_efficiency.py compares.

Every search is a function of a recorded space, a seed and a number of evaluations, and gives the configurations that it
evaluates, in order. Only configurations not seen before count as evaluations; peers are stopped when they have made as
many, or four times as many requests.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qdkernel.config import Config
from qdkernel.mutators import Brief
from qdkernel.mutators.schedule import TEMPLATES, ScheduleMutator, TuneMutator
from qdkernel.recorded import PACKED_DGEMM, Configuration, RecordedSpace, RecordedTemplate
from qdkernel.runs import RunFolder
from qdkernel.search import assemble

CACHE = Path(__file__).parent / "data" / "packed-dgemm.cache.json.gz"
_WEIGHTS = {"schedule": 4, "tune": 1}
REQUESTS = 4  # a peer's requests for each evaluation: it may ask for configurations again

Trace = Sequence[Configuration | None]
"""The configurations evaluated, in order; ``None`` for a kernel that is not in the space, as qdkernel's naive seed."""
Search = Callable[[RecordedSpace, int, int], Trace]
"""``search(space, seed, evaluations)``."""


def qdkernel(
    space: RecordedSpace,
    seed: int,
    evaluations: int,
    policy: str = "map-elites",
    operators: Sequence[str] = ("schedule", "tune"),
    **selection: float,
) -> Trace:
    """The project's own loop with built-in operators and, but for policy and selection, its default settings."""
    fields = {
        "problem": PACKED_DGEMM.problem,
        "seed": seed,
        "budget": {"evaluations": evaluations},
        "mutators": [{"name": name, "weight": _WEIGHTS[name]} for name in operators],
        "search": policy,
        "selection": selection,
        "timing": {"remeasure": False},
        "evaluators": {"backend": "serial"},
    }
    config = Config.model_validate_json(json.dumps(fields))
    with (
        tempfile.TemporaryDirectory() as root,
        space.environment(config) as place,
        RunFolder.create(Path(root), config.problem, "", space.recording.machine) as folder,
    ):
        run = assemble(place, folder, lambda status: None, lambda text: None)
        run.evolution.run()
        run.close()
        return [space.configurations.get(record.proposal.kernel.id) for record in folder.evaluations.records()]


def without_crossing(space: RecordedSpace, seed: int, evaluations: int, **selection: float) -> Trace:
    """As ``qdkernel``, with a mutation in place of each cross of two elites."""
    templates = {PACKED_DGEMM.problem: _Mutating(TEMPLATES[PACKED_DGEMM.problem], PACKED_DGEMM)}
    changed = {"schedule": ScheduleMutator(templates), "tune": TuneMutator(templates)}
    return qdkernel(replace(space, mutators=changed), seed, evaluations, **selection)


class _Mutating(RecordedTemplate[Any]):  # Any: a genome
    """A template that mutates the first parent where it should cross two."""

    def cross(self, one: Any, other: Any, brief: Brief, rng: np.random.Generator) -> Any:
        """A neighbour of the first."""
        return self.mutate(one, brief, rng)


def random_search(space: RecordedSpace, seed: int, evaluations: int) -> Trace:
    """Without replacement."""
    configurations = PACKED_DGEMM.configurations
    order = np.random.default_rng(seed).permutation(len(configurations))[:evaluations]
    return [configurations[int(index)] for index in order]


def kernel_tuner(space: RecordedSpace, seed: int, evaluations: int, strategy: str) -> Trace:
    """A strategy of Kernel Tuner in its simulation mode, with its default options."""
    from kernel_tuner import tune_kernel

    asked = _Asked(evaluations)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cache = Path(folder) / "cache.json"
        cache.write_bytes(gzip.decompress(CACHE.read_bytes()))
        results, _ = tune_kernel(
            PACKED_DGEMM.problem,
            "",
            tuple(space.recording.machine.baseline.gflops[0].size.values()),
            [],
            {name: list(values) for name, values in PACKED_DGEMM.parameters.items()},
            restrictions=[_RESTRICTION],
            lang="C",
            strategy=strategy,
            strategy_options={"max_fevals": evaluations},
            cache=str(cache),
            simulation_mode=True,
            quiet=True,
            seed=seed,
        )
    for result in results:
        asked.add(tuple(result[name] for name in PACKED_DGEMM.parameters))
    return asked.trace


def optuna(space: RecordedSpace, seed: int, evaluations: int, sampler: str) -> Trace:
    """Optuna's TPE over categories and numbers, or its CMA-ES with margin over the positions of all values."""
    import optuna as package

    package.logging.set_verbosity(package.logging.ERROR)
    samplers: Mapping[str, Callable[[], Any]] = {  # Any: a sampler
        "tpe": lambda: package.samplers.TPESampler(seed=seed),
        "cma-es": lambda: package.samplers.CmaEsSampler(seed=seed, with_margin=True),
    }
    asked = _Asked(evaluations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = package.create_study(direction="maximize", sampler=samplers[sampler]())
        while not asked.done:
            trial = study.ask()
            positions = [
                trial.suggest_categorical(name, range(len(values)))
                if sampler != "cma-es" and not isinstance(values[0], int)
                else trial.suggest_int(name, 0, len(values) - 1)
                for name, values in AXES.items()
            ]
            configuration = at(positions)
            asked.add(configuration)
            study.tell(trial, space.recording.gflops[configuration])
    return asked.trace


def pyribs(space: RecordedSpace, seed: int, evaluations: int, algorithm: str) -> Trace:
    """Plain MAP-Elites (Gaussian mutation of uniform parents), or CMA-MAE, over the cube of all values' positions."""
    from ribs.archives import GridArchive
    from ribs.emitters import EvolutionStrategyEmitter, GaussianEmitter
    from ribs.schedulers import Scheduler

    cells = {c: tuple(map(int, space.kernels[kernel].cell)) for kernel, c in space.configurations.items()}
    highest = np.max(list(cells.values()), axis=0)
    grid: Mapping[str, Any] = {  # Any: ribs has no types
        "solution_dim": len(AXES),
        "dims": highest + 1,
        "ranges": [(-0.5, level + 0.5) for level in highest],
    }
    centre, bounds, batch = np.full(len(AXES), 0.5), [(0.0, 1.0)] * len(AXES), 8
    if algorithm == "map-elites":
        archive = GridArchive(**grid, seed=seed)
        first = np.random.default_rng(seed).random((batch, len(AXES)))
        emitter = GaussianEmitter(
            archive, sigma=0.2, initial_solutions=first, bounds=bounds, batch_size=batch, seed=seed
        )
        scheduler = Scheduler(archive, [emitter])
    else:
        archive = GridArchive(**grid, learning_rate=0.01, threshold_min=0.0, seed=seed)
        emitter = EvolutionStrategyEmitter(
            archive, x0=centre, sigma0=0.2, ranker="imp", bounds=bounds, batch_size=batch, seed=seed
        )
        scheduler = Scheduler(archive, [emitter], result_archive=GridArchive(**grid, seed=seed))
    asked = _Asked(evaluations)
    while not asked.done:
        configurations = [
            at([int(x * len(v)) for x, v in zip(row, AXES.values(), strict=True)]) for row in scheduler.ask()
        ]
        for configuration in configurations:
            asked.add(configuration)
        scheduler.tell([space.recording.gflops[c] for c in configurations], [cells[c] for c in configurations])
    return asked.trace


class _Asked:
    """The different configurations that a peer asked for, until there are enough."""

    def __init__(self, evaluations: int) -> None:
        self._evaluations = evaluations
        self._seen: dict[Configuration, None] = {}
        self._requests = 0

    def add(self, configuration: Configuration) -> None:
        self._requests += 1
        self._seen.setdefault(configuration)

    @property
    def done(self) -> bool:
        return len(self._seen) >= self._evaluations or self._requests >= REQUESTS * self._evaluations

    @property
    def trace(self) -> Trace:
        return list(self._seen)[: self._evaluations]


_TILE = ("width", "rows", "vectors")
_TILES = sorted({configuration[:3] for configuration in PACKED_DGEMM.configurations})
_RESTRICTION = " or ".join(f"(width == {w} and rows == {r} and vectors == {v})" for w, r, v in _TILES)
AXES: Mapping[str, Sequence[Any]] = {  # Any: values, and the tile as one
    "tile": _TILES,
    **{name: values for name, values in PACKED_DGEMM.parameters.items() if name not in _TILE},
}
"""The space without invalid combinations, for peers that know no constraints: the register tile is one axis."""


def at(positions: Sequence[int]) -> Configuration:
    """The configuration at a position along each of ``AXES``; beyond the last value it is the last."""
    tile, *others = (
        values[min(position, len(values) - 1)] for position, values in zip(positions, AXES.values(), strict=True)
    )
    return (*tile, *others)


STRATEGIES = (
    "genetic_algorithm",
    "greedy_ils",
    "simulated_annealing",
    "diff_evo",
    "pso",
    "hybrid_vndx",
    "adaptive_tabu_greywolf",
    "bayes_opt",
)

SEARCHES: Mapping[str, Search] = {
    "qdkernel": qdkernel,
    "qdkernel, unscreened": partial(qdkernel, screened=1),
    "qdkernel, unscreened, schedule only": partial(qdkernel, operators=("schedule",), screened=1),
    "qdkernel, unscreened, no crossing": partial(without_crossing, screened=1),
    "qdkernel, schedule only": partial(qdkernel, operators=("schedule",)),
    "qdkernel, no crossing": without_crossing,
    "qdkernel, mcts": partial(qdkernel, policy="mcts", screened=1),
    "qdkernel, islands": partial(qdkernel, policy="islands", screened=1),
    "random search": random_search,
    **{f"Kernel Tuner {name}": partial(kernel_tuner, strategy=name) for name in STRATEGIES},
    "Optuna TPE": partial(optuna, sampler="tpe"),
    "Optuna CMA-ES": partial(optuna, sampler="cma-es"),
    "pyribs MAP-Elites": partial(pyribs, algorithm="map-elites"),
    "pyribs CMA-MAE": partial(pyribs, algorithm="cma-mae"),
}
"""The searches by name."""
