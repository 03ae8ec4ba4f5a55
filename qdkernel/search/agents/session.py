"""Sessions of an agent, one after the other in a thread: a brief becomes a work folder, its last kernel a proposal."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from qdkernel.config import AGENT, AgentConfig, Config
from qdkernel.core import Arm, Kernel, Proposal, Provenance, printable
from qdkernel.evaluators.source import SIZE_LIMIT
from qdkernel.evaluators.toolchain import Built, Toolchain
from qdkernel.mutators import Brief
from qdkernel.mutators.llm.prompts import agent_task
from qdkernel.search.agents.check_desk import CheckDesk
from qdkernel.search.agents.process import AgentProcess
from qdkernel.search.agents.work_folder import WorkFolder
from qdkernel.search.llm import TokenBudget, Usage
from qdkernel.search.state import AgentState

_POLL_S = 0.1
_MOST_BYTES = 2 * SIZE_LIMIT  # what is longer is no kernel; up to this the source policy refuses it with a reason
_IDEA = 150
_LOG_TAIL = 400

Say = Callable[[str], None]


class AgentSessions:
    """Runs an agent again and again while a run goes on.

    Args:
        config: of the run, with the agent's settings.
        agent: the agent's settings.
        toolchain: whose system folders the agent may read.
        built: the confinement.
        budget: of the run's money, shared with its models.
        say: given what a user should know at once.
    """

    def __init__(
        self, config: Config, agent: AgentConfig, toolchain: Toolchain, built: Built, budget: TokenBudget, say: Say
    ) -> None:
        self._config, self._agent = config, agent
        self._toolchain, self._built = toolchain, built
        self._budget = budget
        self._say = say
        self._notes, self._begun, self._usd = "", 0, 0.0
        self._ready: list[Proposal] = []
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    @property
    def under_way(self) -> bool:
        """Whether an agent works, or a proposal of one waits."""
        return bool(self._ready) or (self._thread is not None and self._thread.is_alive())

    @property
    def ready(self) -> bool:
        """Whether a proposal waits."""
        return bool(self._ready)

    def pop(self) -> Proposal:
        """The oldest proposal that waits."""
        return self._ready.pop(0)

    def state(self) -> AgentState:
        """What a resume needs."""
        return AgentState(sessions=self._begun, usd=self._usd, notes=self._notes)

    def restore(self, state: AgentState) -> None:
        """Continues after an earlier session of the run."""
        self._begun, self._usd, self._notes = state.sessions, state.usd, state.notes
        self._budget.settle(Usage(), Usage(usd=state.usd))

    def poll(self, brief: Callable[[], Brief]) -> None:
        """Begins a session where none is under way, a kernel is there to start from, and the budgets have room."""
        if self.under_way or self._closing.is_set():
            return
        if self._agent.sessions is not None and self._begun >= self._agent.sessions:
            return
        made = brief()
        if made.parent is None:
            return
        most = Usage(usd=self._agent.usd)
        if self._budget.reserve(most) is not None:
            return
        self._begun += 1
        self._thread = threading.Thread(target=self._work, args=(made, most), name="agent", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the session under way; what its agent has written is lost."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self, brief: Brief, most: Usage) -> None:
        spent: float | None = None
        try:
            with tempfile.TemporaryDirectory(prefix="qdkernel-agent-", ignore_cleanup_errors=True) as scratch:
                path = Path(scratch) / "work"
                path.mkdir()
                task = agent_task(brief, self._agent.minutes, self._agent.usd)
                folder = WorkFolder(path, brief, task, self._notes)
                try:
                    self._attend(folder, Path(scratch) / "agent.log")
                    spent, self._notes = folder.spent_usd(), folder.notes()
                    self._take(folder, brief)
                finally:
                    folder.close()
        except Exception as error:  # a full disk, a program that is gone: the run goes on without this session
            self._say(f"agent: the session failed: {printable(str(error))}")
            self._closing.set()
        finally:
            usd = most.usd if spent is None else spent
            self._usd += usd
            self._budget.settle(most, Usage(usd=usd))

    def _attend(self, folder: WorkFolder, log: Path) -> None:
        """Starts the agent and answers its requests until it ends or its time is up."""
        deadline = time.monotonic() + 60 * self._agent.minutes
        desk = CheckDesk(self._config, folder)
        process = AgentProcess(self._agent, folder.path, self._toolchain, self._built, log)
        try:
            while not process.ended and not self._closing.is_set() and time.monotonic() < deadline:
                if not desk.answer(max(1.0, deadline - time.monotonic())):
                    self._closing.wait(_POLL_S)
        finally:
            late = not process.ended
            status = process.close()
        if status != 0 and not late:
            tail = printable(log.read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace"))
            self._say(f"agent: {self._agent.command[0]} left with exit status {status}: {tail or 'it printed nothing'}")

    def _take(self, folder: WorkFolder, brief: Brief) -> None:
        """Proposes what the folder holds, if it is another kernel than the one it held at first."""
        source = folder.kernel(_MOST_BYTES)
        parent = brief.parent
        if source is None or parent is None or source == parent.kernel.source:
            return
        self._ready.append(
            Proposal(
                Kernel(source),
                AGENT,
                _idea(folder.notes()),
                parents=(parent.kernel.id,),
                target=brief.target,
                provenance=Provenance(Arm(AGENT), parent.cell, brief.stage),
            )
        )


def _idea(notes: str) -> str:
    """The last line of the notes that holds words."""
    lines = [line.strip(" #-*") for line in notes.splitlines() if line.strip(" #-*")]
    return lines[-1][:_IDEA] if lines else "an agent's kernel"
