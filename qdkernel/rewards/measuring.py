"""Measures kernels on this machine, each content once, for callers in any thread."""

from __future__ import annotations

import bisect
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial

from qdkernel.backends import WorkerKilled, WorkerPool
from qdkernel.core import Cell, CodeHashes, Evaluation, Kernel, KernelId, Outcome, Stage
from qdkernel.errors import ConfigError, unknown
from qdkernel.evaluators.pipeline import Comparison, EvaluationTask, PairTask, compare_pair, perform
from qdkernel.evaluators.source import SIZE_LIMIT, normal_hash
from qdkernel.rewards.verdict import Ending, Verdict, verdict_of
from qdkernel.search import RunEnvironment, plan_of

MEMORY = 4096  # finished kernels kept; about 6 KB each with their samples
_ATTEMPTS = 3  # evaluations of a kernel that ends lost, before the verdict is lost
_CELL_MEMORY = 1024  # speeds kept of each cell
_LASTING = frozenset(Outcome) - {Outcome.DUPLICATE, Outcome.LOST, Outcome.TIMEOUT, Outcome.OUTSIDE_STAGE}

Key = tuple[KernelId, str]
"""A kernel and the name of the stage that is enforced."""

Observer = Callable[[Kernel, str, Evaluation], bool]
"""Called with every finished evaluation and its stage; true when the kernel must be evaluated again."""


class JudgeClosed(Exception):
    """The judge was closed before the kernel was measured."""


@dataclass
class _Job:
    kernel: Kernel
    stage: str
    normal: str
    result: Future[Verdict] = field(default_factory=Future)
    attempts: int = 0
    followers: list[_Job] = field(default_factory=list)


def run_task(task: EvaluationTask | PairTask) -> Evaluation | Comparison:
    """Either kind of task, in a worker process."""
    return compare_pair(task) if isinstance(task, PairTask) else perform(task)


class Measuring:
    """Evaluations by content: a kernel that is asked for again joins or repeats the first measurement.

    Kernels that are equal up to names, comments and blanks are never measured twice; kernels that only compile to the
    same code are not either, unless both are under way at once: then both get the measurement that ended first.
    All methods may be called from several threads. No signal is used.

    Args:
        environment: the configuration on this machine; must outlive this object.
        observer: called with every evaluation, in a thread of the pool, one at a time.
        memory: finished kernels kept; of older ones the measurement is made anew when they come again.
    """

    def __init__(self, environment: RunEnvironment, observer: Observer | None = None, memory: int = MEMORY) -> None:
        # Every kernel is timed in full: one that is dropped early has a single call, which is a poor estimate.
        self._timing = environment.timing.for_every_kernel()
        self._spec = replace(environment.spec, timing=self._timing)
        self._problem = environment.problem
        self._scratch = environment.scratch
        self._observer = observer
        self._memory = memory
        plan = plan_of(environment.config.stages, environment.config.stage_order)
        self.stages: Mapping[str, Stage] = {stage.name: stage for stage in plan.stages} if plan else {}
        self._slots = environment.workers + 1  # one more waits in the pool, so that no worker idles
        self._pool: WorkerPool[EvaluationTask | PairTask, Evaluation | Comparison] = WorkerPool(
            run_task, environment.workers
        )
        self._lock = threading.RLock()
        self._observing = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._running: set[int] = set()
        self._jobs: dict[Key, _Job] = {}
        self._leaders: dict[tuple[str, str], _Job] = {}
        self._verdicts: OrderedDict[Key, Verdict] = OrderedDict()
        self._evaluations: OrderedDict[KernelId, Evaluation] = OrderedDict()
        self._normals: dict[str, KernelId] = {}
        self._cells: dict[Cell, list[float]] = {}
        self._idle = threading.Condition(self._lock)
        self._closed = False
        self.outcomes: Counter[str] = Counter()
        self.joined = 0
        self.seconds_per_kernel = 0.5  # heuristic, until some were measured

    # -- asking -------------------------------------------------------------------------------------------------------

    def submit(self, kernel: Kernel, stage: str = "") -> Future[Verdict]:
        """The verdict to come of a kernel under a stage; shared by all requests for the same content.

        The future raises ``JudgeClosed`` when the judge is closed before, and a ``QdkernelError`` when no kernel can
        be evaluated on this machine.

        Raises:
            UnknownName: the configuration has no such stage.
            JudgeClosed: the judge is closed.
        """
        self.check_stage(stage)
        normal = normal_hash(kernel.source) if len(kernel.source) <= SIZE_LIMIT else kernel.id
        with self._lock:
            if self._closed:
                raise JudgeClosed("the judge is closed; start it again")
            key = (kernel.id, stage)
            if (known := self._known(key)) is not None:
                self.joined += 1
                return _done(known)
            if key in self._jobs:
                self.joined += 1
                return self._jobs[key].result
            job = self._jobs[key] = _Job(kernel, stage, normal)
            leader = self._leaders.get((normal, stage))
            if leader is not None:
                leader.followers.append(job)
                self.joined += 1
            else:
                self._leaders[normal, stage] = job
                self._waiting.append(job)
                self._pump()
            return job.result

    def remember(self, kernel: Kernel, evaluation: Evaluation) -> None:
        """Takes over an evaluation that was made before, so that it is not repeated."""
        with self._lock:
            self._keep(kernel, evaluation)

    def compare(self, challenger: Kernel, reference: Kernel) -> Future[Evaluation | Comparison]:
        """A duel of two kernels that ended ``ok``."""
        return self._pool.submit(PairTask(self._spec, challenger, reference))

    def check_stage(self, stage: str) -> None:
        """Checks the name of a stage.

        Raises:
            UnknownName: the configuration has no such stage.
            ConfigError: it has none at all.
        """
        if stage and not self.stages:
            raise ConfigError(f"stage {stage!r} was asked for, but the configuration has no stages; add some, or none")
        if stage and stage not in self.stages:
            raise unknown("stage", stage, self.stages)

    @property
    def queued(self) -> int:
        """Kernels that wait or are being evaluated."""
        with self._lock:
            return len(self._jobs)

    def position(self, kernel: Kernel, stage: str = "") -> int:
        """How many kernels are measured before this one; 0 when it is being measured or was."""
        with self._lock:
            for at, job in enumerate(self._waiting):
                if (job.kernel.id, job.stage) == (kernel.id, stage):
                    return at + len(self._running)
            return 0

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self, wait_s: float = 0.0) -> None:
        """Ends the workers; kernels that wait are given up with ``JudgeClosed``, those under way after ``wait_s``."""
        with self._lock:
            self._closed = True
            waiting = [*self._waiting]
            self._waiting.clear()
            self._idle.wait_for(lambda: not self._running, timeout=wait_s)
        self._pool.close()
        with self._lock:
            left = {id(job): job for job in [*waiting, *self._jobs.values()]}
            self._jobs.clear()
            self._leaders.clear()
        for job in left.values():
            if not job.result.done():
                job.result.set_exception(JudgeClosed("the judge was closed before the kernel was measured"))

    # -- evaluating ---------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Hands out what waits while workers are free; called with the lock held."""
        while self._waiting and len(self._running) < self._slots and not self._closed:
            job = self._waiting.popleft()
            self._running.add(id(job))
            job.attempts += 1
            accept = self.stages[job.stage].refusal if job.stage else None
            task = EvaluationTask(self._spec, job.kernel, accept)
            began = time.monotonic()
            self._pool.submit(task).add_done_callback(partial(self._finished, job, began))

    def _finished(self, job: _Job, began: float, done: Future[Evaluation | Comparison]) -> None:
        error = done.exception()
        if error is None:
            found = done.result()
            assert isinstance(found, Evaluation)
        elif isinstance(error, WorkerKilled) and not self._closed:
            found = Evaluation(job.kernel.id, Outcome.LOST, str(error))
        else:
            closed = JudgeClosed("the judge was closed before the kernel was measured")
            self._fail(job, closed if isinstance(error, WorkerKilled) else error)
            return
        try:
            again = self._again(job, found) or self._observed(job, found)
        except Exception as unexpected:  # is raised where the kernel is waited for
            self._fail(job, unexpected)
            return
        if again:
            with self._lock:
                self._running.discard(id(job))
                self._waiting.appendleft(job)
                self._pump()
            return
        self._settle(job, found, time.monotonic() - began)

    def _observed(self, job: _Job, found: Evaluation) -> bool:
        if self._observer is None:
            return False
        with self._observing:
            return self._observer(job.kernel, job.stage, found)

    def _again(self, job: _Job, found: Evaluation) -> bool:
        """Whether an evaluation came to nothing and is tried again."""
        if self._closed:
            return False
        if found.outcome is Outcome.LOST:
            return job.attempts < _ATTEMPTS
        if found.outcome is Outcome.DUPLICATE and found.duplicate_of not in self._evaluations:
            for code in found.hashes.identities:  # the original is no longer known
                self._scratch.remove_known(code)
            return job.attempts < 2 * _ATTEMPTS
        return False

    def _settle(self, job: _Job, found: Evaluation, seconds: float) -> None:
        with self._lock:
            self._running.discard(id(job))
            self.outcomes[found.outcome.value] += 1
            self.seconds_per_kernel += 0.1 * (seconds / self._slots - self.seconds_per_kernel)
            self._keep(job.kernel, found)
            verdict = self._verdict((job.kernel.id, job.stage), found)
            followers = self._end(job)
            theirs = [self._follower_verdict(each, verdict) for each in followers]
            self._pump()
            self._idle.notify_all()
        job.result.set_result(verdict)
        for follower, copy in zip(followers, theirs, strict=True):
            if self._observer is not None and not copy.lost:
                with self._observing:
                    self._observer(follower.kernel, follower.stage, _duplicate(follower.kernel, copy, found))
            follower.result.set_result(copy)

    def _fail(self, job: _Job, error: BaseException) -> None:
        with self._lock:
            self._running.discard(id(job))
            followers = self._end(job)
            self._pump()
            self._idle.notify_all()
        for each in (job, *followers):
            if not each.result.done():
                each.result.set_exception(error)

    def _end(self, job: _Job) -> list[_Job]:
        self._leaders.pop((job.normal, job.stage), None)
        for each in (job, *job.followers):
            self._jobs.pop((each.kernel.id, each.stage), None)
        return job.followers

    def _follower_verdict(self, follower: _Job, verdict: Verdict) -> Verdict:
        original = verdict.duplicate_of or verdict.kernel_id
        copy = replace(verdict, kernel_id=follower.kernel.id, duplicate_of=original, seconds=0.0)
        if not copy.lost:
            self._remember_verdict((follower.kernel.id, follower.stage), copy)
        return copy

    # -- remembering --------------------------------------------------------------------------------------------------

    def _known(self, key: Key) -> Verdict | None:
        verdict = self._verdicts.get(key)
        if verdict is not None:
            self._verdicts.move_to_end(key)
            return replace(verdict, seconds=0.0)
        found = self._evaluations.get(key[0])  # measured under another stage
        return None if found is None else replace(self._verdict(key, found), seconds=0.0)

    def _verdict(self, key: Key, found: Evaluation) -> Verdict:
        """The verdict of an evaluation under a stage; that of a duplicate is its original's."""
        kernel_id, stage = key
        original = self._evaluations.get(found.duplicate_of) if found.duplicate_of else found
        if original is None:
            original = replace(found, outcome=Outcome.LOST, detail="the kernel it equals is no longer known")
        verdict = verdict_of(original, self._problem, self._timing.peak_gflops, self._timing.triad_gbytes_per_s, stage)
        if original.cell is not None and original.objective is not None:
            verdict = replace(verdict, cell_rank=self._cell_rank(original.cell, original.objective))
        if stage and original.cell is not None and original.outcome is not Outcome.LOST:
            refusal = self.stages[stage].refusal(original.cell, original.evidence)
            if refusal:
                verdict = Verdict(
                    Ending.OUTSIDE_STAGE, refusal, kernel_id, cell=verdict.cell, stage=stage, seconds=verdict.seconds
                )
        if original.kernel_id != kernel_id:
            verdict = replace(verdict, kernel_id=kernel_id, duplicate_of=original.kernel_id, seconds=0.0)
        if not verdict.lost:
            self._remember_verdict(key, verdict)
        return verdict

    def _cell_rank(self, cell: Cell, objective: float) -> float | None:
        speeds = self._cells.get(cell, [])
        others = len(speeds) - 1  # its own speed is among them
        return bisect.bisect_left(speeds, objective) / others if others > 0 else None

    def _keep(self, kernel: Kernel, found: Evaluation) -> None:
        if found.duplicate_of is not None:
            found = self._evaluations.get(found.duplicate_of, found)
        if found.outcome not in _LASTING:
            return
        twin = self._normals.get(found.hashes.object or "")
        if twin is not None and twin != kernel.id and twin in self._evaluations:
            found = self._evaluations[twin]  # both were under way at once: equal code, equal verdict
        for code in found.hashes.identities:
            self._scratch.add_known(code, found.kernel_id)
            self._normals.setdefault(code, found.kernel_id)
        self._evaluations[kernel.id] = found
        if found.kernel_id == kernel.id and found.cell is not None and found.objective is not None:
            speeds = self._cells.setdefault(found.cell, [])
            bisect.insort(speeds, found.objective)
            if len(speeds) > _CELL_MEMORY:
                del speeds[0]
        while len(self._evaluations) > self._memory:
            self._forget(*self._evaluations.popitem(last=False))

    def _forget(self, kernel_id: KernelId, found: Evaluation) -> None:
        if found.kernel_id != kernel_id:
            return  # the measurement of another kernel with the same code
        for code in found.hashes.identities:
            self._scratch.remove_known(code)
            self._normals.pop(code, None)
        if not self._scratch.holds(kernel_id):
            self._scratch.forget(kernel_id)

    def _remember_verdict(self, key: Key, verdict: Verdict) -> None:
        self._verdicts[key] = verdict
        while len(self._verdicts) > self._memory:
            self._verdicts.popitem(last=False)


def _done(verdict: Verdict) -> Future[Verdict]:
    result: Future[Verdict] = Future()
    result.set_result(verdict)
    return result


def _duplicate(kernel: Kernel, copy: Verdict, found: Evaluation) -> Evaluation:
    return Evaluation(
        kernel.id,
        Outcome.DUPLICATE,
        f"the same source up to names, comments and spacing as kernel {copy.duplicate_of[:12]}",
        duplicate_of=KernelId(copy.duplicate_of),
        hashes=CodeHashes(found.hashes.normal),
    )
