"""``qdkernel evolve`` on other machines: a search, an archive and a run folder for each class of machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

from qdkernel.commands.search.session import Search, run_searches, say
from qdkernel.config import Config, dump_config
from qdkernel.errors import ConfigError, RunFolderError
from qdkernel.problems import problem_label
from qdkernel.runs import EventKind, RunFolder, class_folder, new_folder, runs_in
from qdkernel.search import NodeGroup, open_cluster, share_of_budget


def evolve_on_cluster(config: Config, path: Path | None, resume: bool, recorded: RunFolder | None) -> int:
    """Runs a configuration whose evaluators are distributed.

    Args:
        config: the configuration.
        path: of the run; ``None`` for a new one below runs/.
        resume: continue the run at ``path``.
        recorded: a run to replay; all workers must be of one class.
    """
    if path is not None and (path / "run.db").exists():
        raise RunFolderError(f"{path} holds a run of one machine, not of a cluster; choose another --out")
    with open_cluster(config, say) as groups, contextlib.ExitStack() as stack:
        if recorded is not None and len(groups) > 1:
            raise ConfigError(f"--replay: expected workers of one class of machine, got {len(groups)}")
        path = path or new_folder(Path("runs"), problem_label(config.problem))
        _report_absent(path, groups)
        workers = sum(group.workers for group in groups)
        searches = []
        for group in groups:
            budget = share_of_budget(config.budget, group.workers, workers)
            part = config.model_copy(update={"budget": budget})
            searches.append(_search(group, part, path, resume, recorded, dump_config(config), stack))
        return run_searches(searches)


def _search(
    group: NodeGroup,
    config: Config,
    path: Path,
    resume: bool,
    recorded: RunFolder | None,
    config_yaml: str,
    stack: contextlib.ExitStack,
) -> Search:
    """The search on one class of machine, begun or continued."""
    own = class_folder(path, group.machine_class)
    if (own / "run.db").exists():
        if not resume:
            raise RunFolderError(f"{path} already holds a run; add --resume to continue it, or choose another --out")
        folder = stack.enter_context(RunFolder.open(own, writable=True))
        speeds = folder.machine.baseline.gflops
        environment = group.environment(config, tuple(speed.gflops for speed in speeds))
        if [dict(size) for size in environment.timing.sizes] != [dict(speed.size) for speed in speeds]:
            raise RunFolderError(f"{own} scores other sizes than the configuration asks for; start a new run")
    else:
        environment = group.environment(config)
        folder = stack.enter_context(
            RunFolder.create(own, problem_label(config.problem), config_yaml, environment.facts(), exact=True)
        )
    machine = environment.machine
    say(f"class {group.machine_class}: {machine.cpu}, {machine.cores} cores, {group.workers} workers")

    def note(text: str) -> None:
        folder.events.add(EventKind.NODE, text)
        say(text)

    return Search(environment, folder, recorded, group.backend(environment, note))


def _report_absent(path: Path, groups: list[NodeGroup]) -> None:
    """Reports which archives of the run stay as they are."""
    present = {group.machine_class for group in groups}
    for run in runs_in(path):
        if (run / "run.db").exists() and run.name not in present:
            say(f"no worker is of the class {run.name} now; its archive stays as it is")
