"""Jobs: accepted, journaled, judged, answered; independent of HTTP."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from qdkernel.core import Evaluation, Kernel
from qdkernel.errors import QdkernelError
from qdkernel.rewards import JudgeClosed, LocalJudge, Submission, Verdict
from qdkernel.rewards.measuring import MEMORY
from qdkernel.search import RunEnvironment
from qdkernel.serve.journal import Journal
from qdkernel.serve.recorder import RunRecorder


class QueueFull(Exception):
    """Too many kernels wait; ``retry_after_s`` is when there will be room."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"the queue is full; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Job:
    """A job that was accepted; ``result`` has its verdicts, or ``JudgeClosed`` when the service stops before."""

    id: str
    submissions: tuple[Submission, ...]
    result: Future[list[Verdict]]


class Service:
    """Judges jobs; its methods may be called from several threads.

    Args:
        environment: the configuration on this machine.
        journal: what was accepted and found so far.
        recorder: keeps every judged kernel in a run folder.
        max_queue: kernels that wait or are measured at most.
    """

    def __init__(
        self, environment: RunEnvironment, journal: Journal, recorder: RunRecorder | None = None, max_queue: int = 1024
    ) -> None:
        self._journal = journal
        self._recorder = recorder
        self._max_queue = max_queue
        self._finishers = ThreadPoolExecutor(2, thread_name_prefix="finish")
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self.accepted = 0
        self.refused = 0
        self.judge = LocalJudge(environment, self._observe)
        for kernel, evaluation in journal.evaluations(MEMORY):
            self.judge.measuring.remember(kernel, evaluation)
        if recorder is not None:
            for kernel, evaluation in recorder.restore():
                self.judge.measuring.remember(kernel, evaluation)  # committed there, but killed before the journal was

    def resume(self) -> int:
        """Takes up the jobs that were accepted before a stop or a kill; how many there are."""
        jobs = self._journal.unfinished()
        for job in jobs:
            self._start(Job(job.id, job.submissions, Future()), job.duel)
        return len(jobs)

    @property
    def queued(self) -> int:
        """Kernels that wait or are measured."""
        return self.judge.measuring.queued

    def accept(self, submissions: Sequence[Submission], duel: bool = False) -> Job:
        """A job whose acceptance is committed; nothing that happens later loses it.

        Raises:
            QueueFull: too many kernels wait.
            QdkernelError: an unknown stage.
            JudgeClosed: the service is stopping.
        """
        measuring = self.judge.measuring
        for stage in {submission.stage for submission in submissions}:
            measuring.check_stage(stage)
        waiting = measuring.queued
        if waiting and waiting + len(submissions) > self._max_queue:
            self.refused += 1
            raise QueueFull(max(1, round(waiting * measuring.seconds_per_kernel)))
        job = Job(uuid.uuid4().hex, tuple(submissions), Future())
        self._journal.add_job(job.id, submissions, duel)
        self.accepted += 1
        self._start(job, duel)
        return job

    def active(self, job_id: str) -> Job | None:
        """A job that is not finished."""
        with self._lock:
            return self._jobs.get(job_id)

    def finished(self, job_id: str) -> list[Verdict] | None:
        """The verdicts of a finished job; ``None`` when there is none with this id."""
        stored = self._journal.job(job_id)
        return None if stored is None or stored.verdicts is None else list(stored.verdicts)

    def position(self, job: Job) -> int:
        """Kernels that are measured before the last one of the job."""
        from qdkernel.rewards import kernel_in

        places = [0]
        for each in job.submissions:
            kernel, _ = kernel_in(each.completion, each.prompt, self.judge.function)
            if kernel is not None:
                places.append(self.judge.measuring.position(kernel, each.stage))
        return max(places)

    def close(self, wait_s: float) -> None:
        """Ends the workers after at most ``wait_s`` for the kernels under way; jobs stay in the journal."""
        self.judge.measuring.close(wait_s)
        self._finishers.shutdown(wait=True)
        self.judge.close()
        with self._lock:
            left = list(self._jobs.values())
            self._jobs.clear()
        for job in left:
            if not job.result.done():
                job.result.set_exception(JudgeClosed("the service is stopping"))

    def _start(self, job: Job, duel: bool) -> None:
        with self._lock:
            self._jobs[job.id] = job
        try:
            found = self.judge.submit(job.submissions)
        except (JudgeClosed, QdkernelError) as error:
            self._drop(job, error)
            return
        futures = [each for each in found if isinstance(each, Future)]
        left = len(futures)
        counting = threading.Lock()

        def one_done(_: object) -> None:
            nonlocal left
            with counting:
                left -= 1
                last = left == 0
            if last:
                self._finish_soon(job, found, duel)

        if not futures:
            self._finish_soon(job, found, duel)
        for future in futures:
            future.add_done_callback(one_done)

    def _finish_soon(self, job: Job, found: Sequence[Future[Verdict] | Verdict], duel: bool) -> None:
        try:
            self._finishers.submit(self._finish, job, found, duel)
        except RuntimeError:  # the service is stopping; the job is in the journal
            self._drop(job, JudgeClosed("the service is stopping"))

    def _finish(self, job: Job, found: Sequence[Future[Verdict] | Verdict], duel: bool) -> None:
        try:
            verdicts = [each.result() if isinstance(each, Future) else each for each in found]
            if duel:
                verdicts = self.judge.with_duels(job.submissions, verdicts)
            self._journal.finish_job(job.id, verdicts)
        except Exception as error:  # is raised in the waiting request; the job stays in the journal
            self._drop(job, error)
            return
        with self._lock:
            self._jobs.pop(job.id, None)
        job.result.set_result(verdicts)

    def _drop(self, job: Job, error: Exception) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)
        if not job.result.done():
            job.result.set_exception(error)

    def _observe(self, kernel: Kernel, stage: str, evaluation: Evaluation) -> bool:
        if self._recorder is not None and self._recorder.record(kernel, stage, evaluation):
            return True
        self._journal.add_evaluation(kernel, stage, evaluation)
        return False
