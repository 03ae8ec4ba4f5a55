"""Agents as operators: programs that edit a kernel in a contained folder, and the sessions in which they do."""

from qdkernel.search.agents.check_desk import CheckDesk
from qdkernel.search.agents.process import AgentProcess
from qdkernel.search.agents.session import AgentSessions
from qdkernel.search.agents.work_folder import WorkFolder

__all__ = ["AgentProcess", "AgentSessions", "CheckDesk", "WorkFolder"]
