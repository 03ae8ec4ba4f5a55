"""``qdkernel evolve``: a run from configuration to archive, pictures and elites."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qdkernel.commands.search.cluster import evolve_on_cluster
from qdkernel.commands.search.session import Search, run_searches, say
from qdkernel.config import (
    BudgetConfig,
    Config,
    check_foreign,
    check_operators,
    dump_config,
    load_config,
    resolve_models,
)
from qdkernel.errors import RunFolderError
from qdkernel.evaluators.pipeline import check_integers
from qdkernel.machine import this_machine
from qdkernel.mutators import MUTATORS
from qdkernel.problems import find_problem, problem_label
from qdkernel.runs import RunFolder, runs_in
from qdkernel.search import (
    RunEnvironment,
    check_names,
    open_environment,
    recorded_baseline,
    resolve_sizes,
    resolve_threads,
    with_isa,
)

_SECONDS_PER_EVALUATION = 0.35  # measured at n = 256 with two workers; for the estimate of a dry run


@dataclass(frozen=True)
class EvolveOptions:
    """The options of ``qdkernel evolve`` beside its configuration; ``qdkernel evolve --help`` explains them."""

    out: Path | None = None
    resume: bool = False
    overrides: Sequence[str] = ()
    replay: Path | None = None
    seed_from: Path | None = None
    trust: bool = False


def evolve(config: Config, path: Path, options: EvolveOptions) -> int:
    """Runs a configuration.

    Args:
        config: from ``sound_config`` or ``checked``.
        path: of the file it was read from.
        options: of the command.
    """
    out, resume = options.out, options.resume
    if options.seed_from is not None:
        config = _seeded(config, options.seed_from)
    with contextlib.ExitStack() as stack:
        recorded = stack.enter_context(_recorded(options.replay, config)) if options.replay else None
        if recorded:
            config = _without_budget(config)
        own = path.resolve().parent
        if resume and not options.trust and (own / "run.db").exists():
            check_foreign(config, options.overrides, own)
        if config.evaluators.distributed:
            return evolve_on_cluster(config, _run_to_resume(config, out) if resume else out, resume, recorded)
        if resume:
            folder = stack.enter_context(RunFolder.open(_run_to_resume(config, out), writable=True))
            environment = stack.enter_context(open_environment(config, say, _known_baseline(folder, config)))
            return run_searches([Search(environment, folder, recorded)])
        if out is not None and any((run / "run.db").exists() for run in runs_in(out)):
            raise RunFolderError(f"{out} already holds a run; add --resume to continue it, or choose another --out")
        environment = stack.enter_context(open_environment(config, say))
        folder = stack.enter_context(_new_folder(config, environment, out))
        return run_searches([Search(environment, folder, recorded)])


def sound_config(path: Path, overrides: Sequence[str]) -> Config:
    """The configuration with its models found in the environment, and its names checked."""
    return checked(load_config(path, overrides))


def checked(config: Config) -> Config:
    """The configuration with its models found in the environment, and its names checked."""
    config = with_isa(config)
    asked = config.models == "environment"
    config = resolve_models(config, os.environ)
    check_names(config)
    check_operators(config)
    if asked and not config.models:
        builtin = " and ".join(m.name for m in config.mutators if m.name in MUTATORS)
        say(f"no model in the environment (QDKERNEL_BASE_URL, QDKERNEL_MODEL): going on with {builtin}")
    elif config.models:
        say("asking " + ", ".join(f"{m.name} at {m.base_url}" for m in config.models if not isinstance(m, str)))
    return config


def _recorded(path: Path, config: Config) -> RunFolder:
    recorded = RunFolder.open(path)
    problem = recorded.facts.problem
    if problem != config.problem:
        recorded.close()
        raise RunFolderError(f"{path} is a run of {problem}, the configuration is for {config.problem}; give one of it")
    return recorded


def _seeded(config: Config, run: Path) -> Config:
    """The configuration with a run's elites among the seeds.

    Raises:
        RunFolderError: no run of the configuration's problem.
    """
    with _recorded(run, config) as folder:
        return config.model_copy(update={"seeds": (*config.seeds, folder.path.resolve())})


def _without_budget(config: Config) -> Config:
    """A replay ends with its recording, and sends no requests."""
    most = BudgetConfig(evaluations=sys.maxsize)
    return config.model_copy(update={"budget": most, "models": ()})


def dry_run(path: Path, overrides: Sequence[str]) -> int:
    """Prints the resolved configuration and what it would cost; needs no compiler."""
    config = sound_config(path, overrides)
    problem, machine = find_problem(config.problem), this_machine(config.machine.isa)
    threads, sizes = resolve_threads(config, machine), resolve_sizes(config, problem, machine)
    check_integers(problem, sizes)
    print(dump_config(config), end="")
    budget = config.budget
    shown = "; ".join(", ".join(f"{name}={value}" for name, value in size.items()) for size in sizes)
    print(f"# scored: {shown}; with {threads} of {machine.cores} cores", file=sys.stderr)
    costs = []
    if budget.minutes is not None:
        costs.append(f"at most {budget.minutes:g} minutes")
    if budget.evaluations is not None:
        minutes = budget.evaluations * _SECONDS_PER_EVALUATION / 60
        costs.append(f"at most {budget.evaluations} evaluations (very roughly {minutes:.1f} minutes)")
    if budget.requests is not None:
        costs.append(f"at most {budget.requests} requests")
    if budget.tokens is not None:
        costs.append(f"at most {budget.tokens} tokens")
    if budget.usd is not None:
        costs.append(f"at most {budget.usd:g} US dollars")
    unlimited = budget.requests is None and budget.tokens is None and budget.usd is None
    models = "no model, no money" if not config.models else "models asked as often as they answer" * unlimited
    ends = ", whichever ends first" if len(costs) > 1 else ""
    print(f"# would cost: {' and '.join(costs)}{ends}{'; ' * bool(models)}{models}", file=sys.stderr)
    return 0


def _new_folder(config: Config, environment: RunEnvironment, out: Path | None) -> RunFolder:
    root, exact = (Path("runs"), False) if out is None else (out, True)
    return RunFolder.create(root, problem_label(config.problem), dump_config(config), environment.facts(), exact=exact)


def _run_to_resume(config: Config, out: Path | None) -> Path:
    if out is not None:
        return out
    found = sorted(
        (max(database.stat().st_mtime for database in databases), folder)
        for folder in Path("runs").glob(f"{problem_label(config.problem)}-*")
        if (databases := [run / "run.db" for run in runs_in(folder) if (run / "run.db").is_file()])
    )
    if not found:
        raise RunFolderError(f"no run of {config.problem} below runs/ to resume; name one with --out, or drop --resume")
    return found[-1][1]


def _known_baseline(folder: RunFolder, config: Config) -> tuple[float, ...]:
    """The baseline's speeds that the run's objectives refer to.

    Raises:
        RunFolderError: the run was made on another machine, or scores something else.
    """
    known = recorded_baseline(folder.machine, config)
    if known is None:
        raise RunFolderError(
            f"{folder.path} was made on another machine or instruction-set level, or with other sizes, threads or "
            "accuracy, than the configuration asks for here; its timings do not compare: start a new run"
        )
    return known
