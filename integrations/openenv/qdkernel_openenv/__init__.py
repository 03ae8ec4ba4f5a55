"""OpenEnv environment in which a model writes compute kernels in C, judged by qdkernel."""

from qdkernel_openenv.environment import KernelEnvironment
from qdkernel_openenv.models import KernelAction, KernelObservation

__all__ = ["KernelAction", "KernelEnvironment", "KernelObservation"]
