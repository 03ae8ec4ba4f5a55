"""Facts about this machine's processors, and the lock that keeps benchmarks apart."""

from qdkernel.machine.affinity import running_on
from qdkernel.machine.core_lock import CoreLock
from qdkernel.machine.cpu import Machine, fingerprint, this_machine

__all__ = [
    "CoreLock",
    "Machine",
    "fingerprint",
    "running_on",
    "this_machine",
]
