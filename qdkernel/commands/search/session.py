"""Searches of one call of ``evolve``: usually one, on a cluster one for each class of machine."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType

from qdkernel.analysis import carry_over
from qdkernel.commands.search.seed_watch import SeedWatch
from qdkernel.core import RunStatus, StopReason, one_line
from qdkernel.export import write_elites
from qdkernel.reports import make_progress
from qdkernel.runs import RunFolder, elites
from qdkernel.search import Evaluations, RunEnvironment, assemble

_REASONS = {
    StopReason.EVALUATIONS: "the budgeted number of evaluations is done",
    StopReason.MINUTES: "the budgeted time is over",
    StopReason.REQUESTS: "the budgeted number of requests to models is sent",
    StopReason.TOKENS: "another request could pass the budgeted number of tokens",
    StopReason.USD: "another request could pass the budgeted money",
    StopReason.INTERRUPTED: "interrupted; continue with --resume",
    StopReason.EXHAUSTED: "no operator has anything left to propose",
    StopReason.NO_MODEL: "no model answers, and no other operator is configured; see the messages above, then --resume",
    StopReason.REPLAYED: "every recorded proposal has been evaluated again",
}


class Search:
    """One search with its run folder.

    Args:
        environment: the configuration on the machine where kernels are evaluated.
        folder: of the run, open for writing.
        recorded: a run to replay.
        backend: where kernels are evaluated; ``None`` for the workers of this machine.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        folder: RunFolder,
        recorded: RunFolder | None = None,
        backend: Evaluations | None = None,
    ) -> None:
        self.environment = environment
        self.folder = folder
        self.display: Callable[[RunStatus], None] = lambda status: None
        self._seeds = SeedWatch(folder, environment.problem)
        self._run = assemble(environment, folder, self._show, say, recorded, backend)

    def stop(self) -> None:
        """Ends the search once what is under way is done."""
        self._run.stop()

    def run(self) -> StopReason:
        """Searches until a budget is spent."""
        try:
            reason = self._run.evolution.run()
        except BaseException:
            self._run.close(patience_s=0)
            raise
        self._run.close()
        return reason

    def finish(self, reason: StopReason) -> int:
        """Writes pictures and elites, prints the summary, and returns the exit code."""
        _summarize(self.environment, self.folder, reason)
        if self._seeds.complaint:
            say(self._seeds.complaint)
        if self._seeds.complaint or reason is StopReason.NO_MODEL:
            return 1
        return 130 if reason is StopReason.INTERRUPTED else 0

    def _show(self, status: RunStatus) -> None:
        self.display(status)
        if self._seeds.look():
            self.stop()


def run_searches(searches: Sequence[Search]) -> int:
    """Runs them at the same time and returns the worst exit code; the display follows the one with the most workers.

    When one fails the others end, and its error is raised.
    """

    def stop() -> None:
        for search in searches:
            search.stop()

    for search in searches:
        say(f"run folder {search.folder.path}")
    shown = max(searches, key=lambda search: search.environment.workers)
    progress = make_progress(shown.environment.timing.peak_gflops, shown.environment.baseline)
    shown.display = progress.show
    with _interruptible(stop), progress:
        reasons = [searches[0].run()] if len(searches) == 1 else _run_all(searches, stop)
    return max(search.finish(reason) for search, reason in zip(searches, reasons, strict=True))


def _run_all(searches: Sequence[Search], stop: Callable[[], None]) -> list[StopReason]:
    def ended(future: Future[StopReason]) -> None:
        if future.exception() is not None:
            stop()

    with ThreadPoolExecutor(len(searches), thread_name_prefix="search") as threads:
        running = [threads.submit(search.run) for search in searches]
        for future in running:
            future.add_done_callback(ended)
        wait(running)
    return [future.result() for future in running]


def _summarize(environment: RunEnvironment, folder: RunFolder, reason: StopReason) -> None:
    from qdkernel.reports import print_view, show_run

    written = write_elites(folder)
    pictures = _drawn(folder) if environment.config.pictures else ()
    print_view(show_run(folder))
    for path in environment.config.seeds:
        if path.is_dir():
            _show_carried(path, folder)
    print(f"\nstopped: {_REASONS[reason]}")
    print(f"elites   {folder.path / 'elites'} ({len(written)} files)")
    for picture in pictures:
        print(f"picture  {picture}")
    print(f"again    qdkernel show {folder.path}; qdkernel bench {folder.path}")


def _drawn(folder: RunFolder) -> Sequence[Path]:
    from qdkernel.plots import plot_run

    return plot_run(folder)


def _show_carried(there: Path, folder: RunFolder) -> None:
    """Prints what became of the elites of a run that this one was started from, of those that were evaluated."""
    from qdkernel.reports import print_view, show_carry_over

    here = {record.evaluation.kernel_id: record.evaluation for record in reversed(list(folder.evaluations.records()))}
    with RunFolder.open(there) as source:
        held = elites(source.evaluations.records())
        cpu = source.facts.cpu
    evaluated = [(cell, record) for cell, record in held.items() if record.evaluation.kernel_id in here]
    found = carry_over(evaluated, [here[record.evaluation.kernel_id] for _, record in evaluated])
    print()
    print_view(show_carry_over(found, f"{there.name}, {cpu}", folder.facts.cpu))


@contextlib.contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """The first interrupt drains the run, the second stops it where it is; both leave a folder that resumes."""

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()
        say("finishing what is under way; interrupt again to stop at once")

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def say(text: str) -> None:
    """Prints a message on standard error."""
    print(f"qdkernel: {one_line(text)}", file=sys.stderr, flush=True)
