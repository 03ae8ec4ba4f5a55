"""Runs that pages are tested with: a usual one, and one whose every text attacks the page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from qdkernel.core import Behaviour, Duel, Evaluation, Kernel, Outcome, Placement, Proposal, parse_cell
from qdkernel.llm import Completion
from qdkernel.runs import End, EventKind, MachineRecord, RunFolder
from tests.fake_runs import MACHINE, SIZES, add_elite, ask, assignment, breed, kernel, new_run, ok

CELL = parse_cell("packed/512/static/near")
OTHER = parse_cell("none/scalar/serial/none")

MARK = "attacked"
ATTACKS = (
    f"<script>window.{MARK}=1</script>",
    f"</script><script>window.{MARK}=2</script>",
    f"<img src=x onerror='window.{MARK}=3'>",
    f"\"><svg onload='window.{MARK}=4'>",
    f"' onfocus='window.{MARK}=5' autofocus x='",
    f"</title></style></textarea></pre></dialog><script>window.{MARK}=6</script>",
    f"<!--<script>window.{MARK}=7//",
    f"javascript:window.{MARK}=8",
    "{{ 7 * 191 }}{% raw %}${7 * 191}",
    f"]]><a href='javascript:window.{MARK}=9'>",
    "<style>*{display:none}</style><link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'><base href=//evil.example/>",
)
CONTROLS = "\x1b]0;owned\x07\x9b2J\u202eevil\u2066\x00\x08\r"
HOSTILE = " ".join(ATTACKS) + CONTROLS


def usual_run(root: Path, evaluations: int = 120) -> Path:
    """A run with kernels in many cells, a lineage, a duel, a conversation, failures and a retraction."""
    with new_run(root) as folder:
        breed(folder, evaluations)
        parent = add_elite(folder, CELL, 90.0)
        child = Kernel(parent.source.replace("c[i] = 0;", "c[i] = 0.0; /* faster */"))
        _by_conversation(folder, child, "widen the tile", parent)
        return folder.path


def hostile_run(root: Path) -> Path:
    """A run from a stranger: every text that a kernel, a compiler, a model or a foreign folder controls."""
    machine = {**MACHINE, "machine": {**MACHINE["machine"], "cpu": HOSTILE}}
    machine |= {
        "baseline": {**MACHINE["baseline"], "name": HOSTILE},
        "compiler": {"command": "gcc", "version": HOSTILE, "flags": []},
    }
    config = f"problem: dgemm\nseed: 7\nnote: {HOSTILE!r}\n"
    with RunFolder.create(root, "dgemm", config, MachineRecord.model_validate(machine)) as folder:
        parent = Kernel(f"/* {HOSTILE} */\nvoid dgemm(void) {{ }}\n")
        number = folder.evaluations.add_proposal(Proposal(parent, HOSTILE, HOSTILE))
        folder.evaluations.add(
            number,
            dataclasses.replace(ok(parent, OTHER, 20.0), behaviour=Behaviour(OTHER, {"simd": HOSTILE})),
            Placement.NEW,
            {},
        )
        child = Kernel(f"// {HOSTILE}\nvoid dgemm(void) {{ int a; }}\n")
        _by_conversation(folder, child, HOSTILE, parent)
        state = {"search": {"plays": {"arms": [{"operator": HOSTILE, "model": HOSTILE, "plays": 1.0}]}}}
        for outcome in (Outcome.COMPILE_ERROR, Outcome.CRASHED):
            bad = kernel(f"{HOSTILE} {outcome}")
            number = folder.evaluations.add_proposal(Proposal(bad, HOSTILE, HOSTILE, (parent.id,)))
            failed = Evaluation(bad.id, outcome, f"{HOSTILE}\n{'x' * 100_000}", step_s={HOSTILE: 0.1})
            folder.evaluations.add(number, failed, Placement.NONE, state)
        folder.events.add(EventKind.STAGE, HOSTILE)
        folder.events.add(EventKind.STOPPED, HOSTILE)
        return folder.path


def _by_conversation(folder: RunFolder, child: Kernel, text: str, parent: Kernel) -> None:
    """A kernel that a model wrote, which took the cell of ``parent`` in a duel."""
    reply = Completion(f"IDEA: {text}\n```c\n{child.source}```\n", "stop", 900, 100, 1, 0.01)
    conversation = ask(folder, assignment("edit", text), text[:200], reply)
    proposal = Proposal(child, "edit", text, (parent.id,), CELL)
    number = folder.conversations.end(conversation, End.PROPOSAL, proposal=proposal).proposal_number
    assert number is not None
    times = tuple((1e6, 1.02e6, 0.99e6) for _ in SIZES)
    slower = tuple(tuple(1.1 * time for time in row) for row in times)
    duel = Duel(parent.id, 1.1, 1.05, 1.15, times, slower)
    folder.evaluations.add(number, ok(child, CELL, 95.0, duel=duel), Placement.IMPROVED, {})
