"""Composes a repair: continues the conversation that brought a kernel with its outcome."""

from __future__ import annotations

from qdkernel.core import Cell, KernelId, Outcome, Provenance
from qdkernel.llm import Message
from qdkernel.mutators.llm.assignment import Assignment, Expect
from qdkernel.mutators.llm.prompts.budget import fenced, fill, template
from qdkernel.mutators.llm.prompts.parts import trim_failure

_FAILURES: dict[Outcome, tuple[str, str]] = {
    Outcome.COMPILE_ERROR: (
        "Your kernel does not compile.",
        "Mend the first error first; later ones often follow from it. The prototype stands before your file, so the"
        " definition must agree with it.",
    ),
    Outcome.WRONG: (
        "Your kernel compiles and runs, but a result is wrong.",
        "Follow this case through the code by hand: which loop, edge or thread is in charge of that element? Usual"
        " causes: remainders of tiles and vectors, old contents of a result that are read where they must only be"
        " overwritten, a loop that runs zero times, a missing barrier around a shared buffer.",
    ),
    Outcome.RACE: (
        "Your kernel's results were right, but its threads race: they may be wrong at another time.",
        "Make what the two lines access private to a thread, give each element to one thread, reduce, or put a barrier"
        " between them.",
    ),
    Outcome.CRASHED: (
        "Your kernel crashed.",
        "Usual causes: vector loads or stores that reach over the end of an array, aligned ones on data that is not"
        " aligned, scratch buffers too small for an edge, large arrays on a thread's stack.",
    ),
    Outcome.TIMEOUT: (
        "Your kernel was not done in time.",
        "Usual causes: a loop that does not advance for a remainder or for size 0, a barrier that not every thread"
        " reaches, an edge path that does far too much work.",
    ),
    Outcome.POLICY_VIOLATION: (
        "Your kernel breaks a rule and was not run.",
        "Take out what the message names and reach the same by permitted means.",
    ),
    Outcome.IMPLAUSIBLE: (
        "Your kernel was faster than this machine can be, so it cannot have done all of the work.",
        "Make sure that every call computes its result from the inputs of that call.",
    ),
    Outcome.OUTSIDE_STAGE: (
        "Your kernel uses a technique outside of its stage, or lacks one that the stage asks for.",
        "The level was measured in the compiled code. Take the technique out; mind what the compiler does by itself.",
    ),
}
_OTHER_FAILURE = ("Your kernel was not accepted.", "Mend what the message names.")


def compose_repair(
    said: tuple[Message, ...],
    base: str,
    evaluation_outcome: Outcome,
    detail: str,
    turn: int,
    provenance: Provenance,
    parents: tuple[KernelId, ...],
    target: Cell | None,
) -> Assignment:
    """Continues a conversation with the outcome of its kernel, and asks for edits that correct it.

    Args:
        said: everything said so far, the reply with the kernel last.
        base: the kernel that failed; edits apply to it.
        evaluation_outcome: how it ended.
        detail: the evaluation's text; cut to what helps, at most about 1,500 characters.
        turn: 1 for the first repair.
        provenance: of the repair.
        parents: of the failed proposal.
        target: of the failed proposal.
    """
    failure, advice = _FAILURES.get(evaluation_outcome, _OTHER_FAILURE)
    text = trim_failure(evaluation_outcome, detail)
    values = {"failure": failure, "detail": fenced(text, "text") if text else "", "advice": advice, "turn": str(turn)}
    message = Message("user", fill(template("repair"), values))
    return Assignment("repair", (*said, message), Expect.EDITS, base, parents, target, provenance=provenance)
