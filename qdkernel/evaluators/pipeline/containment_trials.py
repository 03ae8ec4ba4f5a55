"""Hostile kernels run for real, past all policies: what the containment of this machine stops, and which layer does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qdkernel.errors import ContainmentError
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.spec import EvaluationSpec
from qdkernel.evaluators.sandbox import ChildFailed, Layers
from qdkernel.evaluators.toolchain import NATIVE

PROBLEM = "dgemm"
"""The hostile kernels define its function."""

_HOSTILE = NATIVE / "hostile"
_DEADLINE_S = 0.3
_SINGLE = (Layers.LIMITS, Layers.LANDLOCK, Layers.SECCOMP)


@dataclass(frozen=True)
class Trial:
    """What became of one hostile kernel.

    Attributes:
        name: what it tried, e.g. ``"start process"``.
        stopped: whether everything that is in force here stopped it.
        how: the end of it, in words.
        alone: layers that stop it by themselves; empty when the memory layout or the deadline does.
        without: stopped with no layer at all, by the memory layout or the deadline.
    """

    name: str
    stopped: bool
    how: str
    alone: Layers
    without: bool


def run_trials(spec: EvaluationSpec) -> list[Trial]:
    """Runs each hostile kernel with all layers that this machine has, with each of them alone, and with none.

    Kernels that succeed do no harm: they do not use what they open, and only report whether they could open it.

    Args:
        spec: of ``PROBLEM``; its layers are not used.

    Raises:
        ToolchainError: the project's own C or a hostile kernel cannot be built.
    """
    contexts = {layers: _context(spec, layers) for layers in (Layers.NONE, *_SINGLE)}
    try:
        present = Layers.NONE
        for layer in _SINGLE:
            if _in_force(contexts[layer]):
                present |= layer
        contexts[present] = contexts.get(present) or _context(spec, present)
        singles = [layer for layer in _SINGLE if layer in present]
        return [_try(path, contexts, present, singles) for path in sorted(_HOSTILE.glob("*.c"))]
    finally:
        for context in contexts.values():
            context.close()


def _context(spec: EvaluationSpec, layers: Layers) -> EvaluationContext:
    return EvaluationContext(replace(spec, run=replace(spec.run, layers=layers)))


def only_by(trials: Sequence[Trial], layer: Layers) -> list[str]:
    """Names of the attempts that no other layer stops."""
    return [trial.name for trial in trials if trial.alone == layer and not trial.without]


def _in_force(context: EvaluationContext) -> bool:
    """Whether a layer can be put in force here."""
    try:
        _run(context, context.problem.seed_source(context.problem.seeds[0]))
    except ContainmentError:
        return False
    return True


def _try(path: Path, contexts: dict[Layers, EvaluationContext], present: Layers, singles: Sequence[Layers]) -> Trial:
    source = path.read_text(encoding="utf-8")
    stopped, how = _run(contexts[present], source)
    alone = Layers.NONE
    for layer in singles:
        if _run(contexts[layer], source)[0]:
            alone |= layer
    return Trial(path.stem.replace("_", " "), stopped, how, alone, _run(contexts[Layers.NONE], source)[0])


def _run(context: EvaluationContext, source: str) -> tuple[bool, str]:
    """Whether a hostile kernel was stopped, and how.

    It is called with arrays none of which is empty; one that returns has left 1 in the first element of the last array
    when its attempt succeeded.
    """
    suite = context.suite
    index = next(i for i, call in enumerate(suite.layout.calls) if all(array.num_elements for array in call.arrays))
    output = suite.layout.calls[index].arrays[-1]
    suite.reset()
    with context.build_folder() as folder:
        made = context.compile(source, Path(folder))
        try:
            with context.start(made, suite.layout, suite.inputs, suite.outputs, 1) as child:
                child.run(index, 1, _DEADLINE_S)
        except ChildFailed as error:
            return True, str(error)
    result = float(suite.layout.elements(suite.outputs, output)[0])
    return result < 0, f"refused with error {-result:.0f}" if result < 0 else "it succeeded"
