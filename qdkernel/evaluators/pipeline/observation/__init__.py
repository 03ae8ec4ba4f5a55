"""What a kernel that may take a cell does when it runs: loops and teams, its hot loop, and where its time goes."""

from qdkernel.evaluators.pipeline.observation.counted_run import Compiled, observe_behaviour

__all__ = ["Compiled", "observe_behaviour"]
