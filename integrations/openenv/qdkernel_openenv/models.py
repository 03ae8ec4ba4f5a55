"""What goes over the wire: a model's reply, and what the judge found."""

from openenv.core.env_server.types import Action, Observation
from pydantic import Field


class KernelAction(Action):
    """A reply with a kernel."""

    completion: str = Field(description="The model's text; the C file in one fence, as the prompt asks")


class KernelObservation(Observation):
    """The task after ``reset``, the verdict after ``step``.

    ``reward`` is ``None`` when nothing is known of the kernel.
    """

    prompt: list[dict[str, str]] = Field(default_factory=list, description="Messages of the chat; only after reset")
    stage: str = Field(default="", description="Stage whose techniques are enforced; empty for none")
    turn: int = Field(default=0, description="Kernels judged in this episode")
    ending: str = Field(default="", description="How judging ended, e.g. ok, wrong, compile_error")
    feedback: str = Field(default="", description="The judge's words, for the next turn's prompt")
    gflops: float = Field(default=0.0, description="GFLOP/s, geometric mean over the scored sizes; 0 unless ok")
    ratio: float = Field(default=0.0, description="Baseline time / kernel time; 0 unless ok")
