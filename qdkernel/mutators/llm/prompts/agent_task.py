"""The task of an agent in its work folder: the facts of a prompt, with files in place of sources."""

from __future__ import annotations

import numpy as np

from qdkernel.mutators.contract import Brief
from qdkernel.mutators.llm.prompts.budget import fit
from qdkernel.mutators.llm.prompts.facts import system_parts
from qdkernel.mutators.llm.prompts.parts import parent_parts, run_parts
from qdkernel.mutators.llm.prompts.pool import first_sections
from qdkernel.mutators.llm.prompts.wording import format_stage, format_target


def agent_task(brief: Brief, minutes: float, usd: float) -> str:
    """The text of TASK.md.

    Args:
        brief: with a parent.
        minutes: of the session.
        usd: US dollars that it may spend; 0 for an agent that costs nothing.

    Raises:
        ValueError: the brief has no parent.
    """
    if brief.parent is None:
        raise ValueError("a session starts from a kernel, but the brief has no parent; wait for the first elite")
    money = f" and {usd:g} US dollars; write what you have spent into the file spent_usd" if usd else ""
    parts = {
        **system_parts(brief, first_sections()),
        **parent_parts(brief, brief.parent),
        **run_parts(brief, np.random.default_rng(0)),
        "stage": (format_stage(brief.stage, brief.permitted, brief.machine.simd_widths),),
        "target": (format_target(brief.parent.cell, brief.target),),
        "budget": (f"{minutes:g} minutes{money}",),
    }
    return "\n\n".join(message.content for message in fit("agent", parts, brief.prompt_tokens)) + "\n"
