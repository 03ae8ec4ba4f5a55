"""Judges of completions: this machine, or a service."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from qdkernel.config import Config, load_config
from qdkernel.core import Duel, Evaluation, Kernel
from qdkernel.evaluators.pipeline import Comparison
from qdkernel.rewards.completion import kernel_in
from qdkernel.rewards.duels import ranked_by_duels
from qdkernel.rewards.measuring import JudgeClosed, Measuring, Observer
from qdkernel.rewards.verdict import Ending, Submission, Verdict
from qdkernel.search import RunEnvironment, check_names, open_environment


class JudgeUnreachable(Exception):
    """There is no verdict: the service does not answer, or the judge was closed. No evidence about a kernel."""


class Judge(Protocol):
    """Judges completions; its methods may be called from several threads."""

    def judge(self, submissions: Sequence[Submission], duel: bool = False) -> list[Verdict]:
        """A verdict for each completion, in order.

        Args:
            submissions: the completions.
            duel: whether the correct kernels of each group are timed against one another.

        Raises:
            JudgeUnreachable: no verdict can be had.
            QdkernelError: the request does not fit the configuration, e.g. an unknown stage.
        """

    def close(self) -> None:
        """Ends what the judge holds."""


class LocalJudge:
    """Judges on this machine, in worker processes and contained children.

    Args:
        environment: the configuration on this machine; must outlive the judge.
        observer: see ``Measuring``.
    """

    def __init__(self, environment: RunEnvironment, observer: Observer | None = None) -> None:
        self.environment = environment
        self.measuring = Measuring(environment, observer)
        self.function = environment.problem.name
        self._stack = contextlib.ExitStack()

    @classmethod
    def open(cls, config: Config | Path | str, say: Callable[[str], None] = lambda _: None) -> LocalJudge:
        """A judge for a configuration or the path of one; ``close`` removes its scratch folder.

        Raises:
            QdkernelError: the configuration does not fit this machine, or there is no compiler.
        """
        resolved = config if isinstance(config, Config) else load_config(Path(config))
        check_names(resolved)
        with contextlib.ExitStack() as stack:
            judge = cls(stack.enter_context(open_environment(resolved, say)))
            judge._stack = stack.pop_all()
        return judge

    def judge(self, submissions: Sequence[Submission], duel: bool = False) -> list[Verdict]:
        """See ``Judge``."""
        try:
            verdicts = [each.result() if isinstance(each, Future) else each for each in self.submit(submissions)]
        except JudgeClosed as error:
            raise JudgeUnreachable(str(error)) from error
        return self.with_duels(submissions, verdicts) if duel else verdicts

    def submit(self, submissions: Sequence[Submission]) -> list[Future[Verdict] | Verdict]:
        """Hands in completions; those without a kernel have their verdict at once.

        Raises:
            QdkernelError: an unknown stage.
            JudgeClosed: the judge is closed.
        """
        for stage in {submission.stage for submission in submissions}:
            self.measuring.check_stage(stage)
        found = [kernel_in(each.completion, each.prompt, self.function) for each in submissions]
        return [
            self.measuring.submit(kernel, each.stage)
            if kernel is not None
            else Verdict(Ending.NO_KERNEL, complaint, stage=each.stage)
            for each, (kernel, complaint) in zip(submissions, found, strict=True)
        ]

    def with_duels(self, submissions: Sequence[Submission], verdicts: Sequence[Verdict]) -> list[Verdict]:
        """The verdicts with those of each group ranked by duels."""
        kernels: dict[str, Kernel] = {}
        groups: dict[str, list[int]] = {}
        for at, (submission, verdict) in enumerate(zip(submissions, verdicts, strict=True)):
            groups.setdefault(submission.group, []).append(at)
            if verdict.ending is Ending.OK:
                kernel, _ = kernel_in(submission.completion, submission.prompt, self.function)
                assert kernel is not None  # it has a verdict
                kernels[verdict.duplicate_of or verdict.kernel_id] = kernel
        ranked = list(verdicts)
        for places in groups.values():
            told = ranked_by_duels([verdicts[at] for at in places], lambda a, b: self._duel(kernels[a], kernels[b]))
            for at, verdict in zip(places, told, strict=True):
                ranked[at] = verdict
        return ranked

    def close(self) -> None:
        """Ends the workers; waiting calls raise ``JudgeUnreachable``."""
        self.measuring.close()
        self._stack.close()

    def _duel(self, challenger: Kernel, reference: Kernel) -> Duel | None:
        found: Evaluation | Comparison = self.measuring.compare(challenger, reference).result()
        assert isinstance(found, Comparison)
        return found.duel
