"""Holds a conversation with a model until a reply gives what was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qdkernel.core import Kernel, Proposal, cell_name
from qdkernel.llm import Ask, Completion, Message, clean_text, readable
from qdkernel.mutators.llm.assignment import Assignment, Ending, Expect
from qdkernel.mutators.llm.replies import (
    Complaint,
    Definition,
    Miss,
    Reply,
    apply_edits,
    definition,
    explain,
    read_plan,
    read_reply,
)

QUOTED = 20_000
"""Characters of a reply that are sent back with the next request."""

_TEXT_LIMIT = 4000  # characters of lessons or of a prompt section
_MOST_STRATEGIES = 16  # of a plan; the session assigns them to as many programmers as there are
_CUT = "the reply was cut off at the token limit"
_NO_FUNCTION = "the edits leave no definition of the kernel's function"
_NOTHING = "the kernel of the reply equals the one it started from: it changes nothing"

_NONE_APPLIED = "None of your blocks was applied, so send all of them again."
_AGAIN_BLOCKS = """\
Send one line `IDEA: ...` and then blocks of this form; copy the SEARCH lines exactly from the kernel as it was given:
<<<<<<< SEARCH
(lines of the kernel)
=======
(lines that replace them)
>>>>>>> REPLACE
Or send the whole C file in one ```c block."""
_AGAIN_WHOLE = "Send one line `IDEA: ...` and then the whole C file, which defines {function}, in one ```c block."
_AGAIN_PLAN = """\
Send only a JSON list of objects with the keys "parent" (a number), "target" and "strategy" (texts)."""
_AGAIN_TEXT = "Send the text that was asked for."
_SHORTER = "Your reply was cut off at the token limit, so nothing of it could be used. Send a shorter one: "
_SHORTER_EDITS = "no explanation, only one line `IDEA: ...` and SEARCH/REPLACE blocks for what changes."
_SHORTER_WHOLE = "no explanation, only one line `IDEA: ...` and a more compact C file in one ```c block."
_SHORTER_TEXT = "only what was asked for, in fewer words."


@dataclass(frozen=True)
class _Unusable:
    """A reply that gives nothing: why, and what to say to the model."""

    reason: str
    follow_up: str
    understood: bool = False  # complete, only not applicable


def converse(assignment: Assignment, ask: Ask, function: str, resamples: int = 1) -> Ending:
    """Asks the model, and again with an explanation while its reply cannot be used, at most ``resamples`` times more.

    The same assignment and replies give the same ending, and every request is a function of them.

    Args:
        assignment: what to say, how to read the replies, what the result descends from.
        ask: sends a request; called ``1 + resamples`` times at most.
        function: name of the C function that a kernel must define.
        resamples: further requests after an unusable reply, from 0.

    Raises:
        CallFailed: from ``ask``, at any turn.
    """
    messages = assignment.messages
    for turn in range(resamples + 1):
        completion = ask(messages)
        outcome = _read(assignment, completion, function)
        # Reasoning is stripped and the text cut: servers do not accept reasoning as input, and some no empty message.
        messages = (*messages, Message("assistant", readable(completion.text).strip()[:QUOTED] or "(empty)"))
        if isinstance(outcome, Ending):
            return replace(outcome, messages=messages)
        if turn == resamples:
            return Ending(reason=outcome.reason, messages=messages, understood=outcome.understood)
        messages = (*messages, Message("user", outcome.follow_up))
    raise ValueError(f"resamples must be at least 0, not {resamples}")


def _read(assignment: Assignment, completion: Completion, function: str) -> Ending | _Unusable:
    if assignment.expects is Expect.PLAN:
        outcome = _plan(completion.text)
    elif assignment.expects is Expect.TEXT:
        outcome = _text(completion.text)
    else:
        outcome = _kernel(assignment, completion.text, function)
    if isinstance(outcome, _Unusable) and not outcome.understood and completion.finish_reason == "length":
        return _Unusable(_CUT, _SHORTER + _shorter(assignment))
    return outcome


def _plan(text: str) -> Ending | _Unusable:
    plan = read_plan(text, _MOST_STRATEGIES)
    return _Unusable(plan, f"{_sentence(plan)} {_AGAIN_PLAN}") if isinstance(plan, str) else Ending(plan=plan)


def _text(text: str) -> Ending | _Unusable:
    cleaned = clean_text(text, _TEXT_LIMIT)
    return Ending(text=cleaned) if cleaned else _Unusable(Complaint.EMPTY.value, f"Your reply is empty. {_AGAIN_TEXT}")


# -- kernels ----------------------------------------------------------------------------------------------------------


def _kernel(assignment: Assignment, text: str, function: str) -> Ending | _Unusable:
    reply = read_reply(text, function)
    again = _again(assignment, function)
    source = _source(assignment, reply)
    if source is None:
        return _Unusable(reply.complaint, f"{_sentence(reply.complaint)} {again}")
    if isinstance(source, Miss):
        return _Unusable(_miss_reason(source), f"{explain(source)}\n{_NONE_APPLIED} {again}", understood=True)
    source = source.strip("\n") + "\n"
    reason = ""
    if _bare(source) == _bare(assignment.base):
        reason = _NOTHING
    elif _defines(assignment.base, function) and not _defines(source, function):
        reason = _NO_FUNCTION
    if reason:
        return _Unusable(reason, f"{_sentence(reason)} {again}", understood=True)
    return Ending(proposal=_proposal(assignment, reply, source))


def _source(assignment: Assignment, reply: Reply) -> str | Miss | None:
    """The kernel of a reply: the one asked for, whole or edited, else the other, else the miss or nothing."""
    if reply.blocks and (assignment.expects is Expect.EDITS or reply.source is None):
        edited = apply_edits(assignment.base, reply.blocks)
        if isinstance(edited, str) or reply.source is None:
            return edited  # else there is a whole kernel beside the blocks: no need to ask again
    return reply.source


def _proposal(assignment: Assignment, reply: Reply, source: str) -> Proposal:
    target = assignment.target
    return Proposal(
        kernel=Kernel(source),
        operator=assignment.operator,
        idea=reply.idea or (f"{assignment.operator} towards {cell_name(target)}" if target else assignment.operator),
        parents=assignment.parents,
        target=target,
        notes=assignment.notes,
        provenance=assignment.provenance,
    )


def _defines(source: str, function: str) -> bool:
    return definition(source, function) is not Definition.ABSENT


def _bare(source: str) -> list[str]:
    """The lines of a kernel without the blanks and empty lines that make no difference."""
    return [line.rstrip() for line in source.split("\n") if line.strip()]


# -- what is said to the model ----------------------------------------------------------------------------------------


def _miss_reason(miss: Miss) -> str:
    return f"edit block {miss.block}: {miss.reason}" if miss.block else miss.reason


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:] + "."


def _again(assignment: Assignment, function: str) -> str:
    editing = assignment.expects is Expect.EDITS and assignment.base.strip()
    return _AGAIN_BLOCKS if editing else _AGAIN_WHOLE.format(function=function)


def _shorter(assignment: Assignment) -> str:
    if assignment.expects in (Expect.PLAN, Expect.TEXT):
        return _SHORTER_TEXT
    return _SHORTER_EDITS if assignment.base.strip() else _SHORTER_WHOLE
