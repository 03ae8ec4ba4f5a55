"""What do a model's operators gain for what they cost, and do the skills of the library aim at the steps that it takes?

Question: of the operators that ask a model, which improves its parent most often, by how much, and for how many tokens?
Would the skills retrieved for a request have been about the step that the reply takes?
Method: the 26 recorded replies of a strong model (tests/trial: dgemm, n = 512, one thread, AVX2) are read as a run
reads them, and nothing is asked anew. Kernels and parents are verified and timed here, interleaved with OpenBLAS, all
of them for AVX2, in ``--rounds`` rounds. The gain is the child's ratio over that of the faster of its parents; what
starts from the naive seed and what starts from a kernel of the run are told apart. Medians have 95 % bootstrap
intervals over the replies. A plan's own reply counts as cost of its programs; four characters are a token. At equal
cost: replies of one operator are drawn with replacement while they fit into a budget of tokens, 2,000 times.
Limits: one model, one problem, few replies of each kind; later replies start from faster parents.

    python benchmarks/model_operators.py [--rounds 3] [--tokens 12000]

prints both tables in Markdown, in about two minutes a round.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdkernel.config import BudgetConfig, Config, MachineConfig
from qdkernel.core import AXES, Array, Cell, Evaluation, Kernel, Outcome, geometric_mean
from qdkernel.evaluators.pipeline import EvaluationTask, perform
from qdkernel.llm import Completion, Message
from qdkernel.mutators.llm import Assignment, Expect, converse
from qdkernel.mutators.llm.prompts import parse_target_cell
from qdkernel.mutators.skills import BUILT_IN_SKILLS, Skill, SkillPool, read_skills
from qdkernel.search import RunEnvironment, open_environment

TRIAL = Path(__file__).parents[1] / "tests" / "trial"
SYSTEM_CHARACTERS = 6740  # of the system prompt, which the recorded requests leave out
EXPECTED = {"edit": Expect.EDITS, "plan": Expect.PLAN}
RESAMPLES = 2000
SKILLS_SHOWN, DRAWS = 2, 500  # skills in a prompt, and repetitions of their choice


@dataclass(frozen=True)
class Step:
    """A recorded reply that holds a kernel.

    Attributes:
        operator: which asked for it.
        parents: sources that the request showed.
        child: the kernel.
        tokens: of request and reply; of a program with its share of the plan.
        aim: the cell in the request's words; ``None`` for no particular one.
    """

    operator: str
    parents: tuple[Kernel, ...]
    child: Kernel
    tokens: float
    aim: str | None


def main() -> None:
    """Times everything, then prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=12_000)
    given = parser.parse_args()
    steps = list(recorded_steps())
    size = {"m": 512, "n": 512, "k": 512}
    config = Config(
        problem="dgemm", sizes=(size,), threads=1, budget=BudgetConfig(evaluations=1), machine=MachineConfig(isa="avx2")
    )
    with open_environment(config, lambda _: None) as place:
        found = timed(place, steps, given.rounds)
    print_operators(steps, found, given.tokens)
    print_skills(steps, found)


def recorded_steps() -> Iterator[Step]:
    """The replies with kernels, in the order of the trial."""
    plan_tokens = 0.0
    for file in sorted(TRIAL.glob("*.json")):
        recorded = json.loads(file.read_text(encoding="utf-8"))
        kind, request = recorded["kind"], recorded["request"]
        sources = re.findall(r"```c\n(.*?)```", request, re.DOTALL)
        tokens = (SYSTEM_CHARACTERS + len(request) + len(recorded["reply"])) / 4
        assignment = Assignment(
            kind,
            (Message("user", request),),
            EXPECTED.get(kind, Expect.KERNEL),
            base=sources[0] if kind == "edit" else "",
        )
        completion = Completion(recorded["reply"], "stop", 0, 0, 0, 0.0)
        ending = converse(assignment, lambda _, reply=completion: reply, "dgemm", resamples=0)  # type: ignore[misc]
        if ending.plan:
            plan_tokens = tokens / len(ending.plan)
        if ending.proposal is None:
            continue
        shown = sources[:2] if kind == "cross" else sources[:1]
        target = re.search(r"That is the cell (.*?)\.\n|(The parent's own cell)", request)
        aim = (target[1] or target[2]) if target else None
        cost = tokens + (plan_tokens if kind == "program" else 0.0)
        name = "plan and program" if kind == "program" else kind
        yield Step(name, tuple(map(Kernel, shown)), ending.proposal.kernel, cost, aim)


def timed(place: RunEnvironment, steps: Sequence[Step], rounds: int) -> Mapping[str, list[Evaluation]]:
    """The evaluations of each kernel by its id, in rounds, so that no kernel has the quiet minutes alone."""
    kernels = {each.id: each for step in steps for each in (*step.parents, step.child)}
    spec = dataclasses.replace(place.spec, timing=place.timing.for_every_kernel())
    found: dict[str, list[Evaluation]] = {number: [] for number in kernels}
    for turn, (number, kernel) in itertools.product(range(rounds), kernels.items()):
        evaluation = perform(EvaluationTask(spec, kernel))
        found[number].append(evaluation)
        print(f"round {turn + 1}: {number[:8]} {evaluation.outcome.value}", flush=True)
    return found


def ratio(evaluations: Sequence[Evaluation]) -> float | None:
    """Geometric mean over the rounds of the ratio to OpenBLAS; ``None`` where the kernel was never timed."""
    ratios = [each.timings[0].ratio for each in evaluations if each.outcome is Outcome.OK]
    return geometric_mean(ratios) if ratios else None


def cell(evaluations: Sequence[Evaluation]) -> Cell | None:
    """The cell as measured."""
    return next((each.cell for each in evaluations if each.outcome is Outcome.OK), None)


def print_operators(steps: Sequence[Step], found: Mapping[str, list[Evaluation]], budget: int) -> None:
    """A row per operator, the fastest kernel at equal cost first."""
    speed = {number: ratio(evaluations) for number, evaluations in found.items()}
    seed = steps[0].parents[0].id
    rows = []
    for name in dict.fromkeys(step.operator for step in steps):
        own = [step for step in steps if step.operator == name]
        children = np.array([speed[step.child.id] or 0.0 for step in own])
        parents = np.array([max(speed[each.id] or 0.0 for each in step.parents) for step in own])
        naive = np.array([step.parents[0].id == seed and len(step.parents) == 1 for step in own])
        tokens = np.array([step.tokens for step in own])
        aimed = [step for step in own if step.aim]
        hits = sum(
            aimed_cell(step.aim, cell(found[step.parents[0].id])) == cell(found[step.child.id]) for step in aimed
        )
        best = at_equal_cost(children, tokens, budget)
        gains = children / parents
        counts = f"{len(own)} | {int((children > 0).sum())} | {int((gains > 1).sum())}"
        reached = f"{hits} of {len(aimed)} | {tokens.mean():.0f}"
        rows.append(
            (best, f"| {name} | {counts} | {gain(gains[naive])} | {gain(gains[~naive])} | {reached} | {shown(best)} |")
        )
    heads = ("operator", "kernels", "correct", "faster than the parent", "gain over the naive seed")
    heads += ("over a bred parent", "in the cell aimed at", "tokens each", f"best within {budget} tokens, of OpenBLAS")
    print(f"\n| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    for _, text in sorted(rows, key=lambda row: -float(np.median(row[0]))):
        print(text)


def gain(values: Array) -> str:
    """The median gain, its interval and the number of steps."""
    return f"{shown(bootstrap(values))} ({len(values)})" if len(values) else "-"


def bootstrap(values: Array) -> Array:
    """(resamples) medians of the values, drawn with replacement."""
    rng = np.random.default_rng(0)
    return np.median(values[rng.integers(len(values), size=(RESAMPLES, len(values)))], axis=1)


def at_equal_cost(speeds: Array, tokens: Array, budget: int) -> Array:
    """(resamples) the highest speed among replies that are drawn while they fit into the budget; at least one is."""
    rng, found = np.random.default_rng(0), np.zeros(RESAMPLES)
    for row in range(RESAMPLES):
        order = rng.integers(len(speeds), size=1 + int(budget / tokens.min()))
        fitting = max(1, int(np.searchsorted(np.cumsum(tokens[order]), budget, side="right")))
        found[row] = speeds[order[:fitting]].max()
    return found


def shown(values: Array) -> str:
    """The median with the 95 % interval."""
    low, median, high = np.quantile(values, (0.025, 0.5, 0.975))
    return f"{median:.2f} [{low:.2f}, {high:.2f}]"


def print_skills(steps: Sequence[Step], found: Mapping[str, list[Evaluation]]) -> None:
    """How often one of the skills in a prompt would have been about the step taken: retrieved, and drawn from all."""
    library, rng = read_skills([BUILT_IN_SKILLS]), np.random.default_rng(0)
    pool = SkillPool(library)
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for step in steps:
        parent, reached, own = cell(found[step.parents[0].id]), cell(found[step.child.id]), ratio(found[step.child.id])
        if parent is None or reached is None or own is None:
            continue
        moved = [axis for axis in range(len(AXES)) if parent[axis] != reached[axis]]
        if not moved:
            continue
        target = aimed_cell(step.aim, parent)
        retrieved = drawn = 0
        for _ in range(DRAWS):
            chosen = pool.choose("dgemm", parent, target, SKILLS_SHOWN, rng)
            retrieved += any(about(skill, parent, reached, moved) for skill in chosen)
            anyhow = rng.choice(len(library), size=SKILLS_SHOWN, replace=False)
            drawn += any(about(library[int(at)], parent, reached, moved) for at in anyhow)
        before = max(filter(None, (ratio(found[each.id]) for each in step.parents)))
        name = "a target named" if target not in (None, parent) else "no target, or the parent's cell"
        rows.setdefault(name, []).append((retrieved / DRAWS, drawn / DRAWS, own / before))
    print("\n| steps to another cell | number | about the step: retrieved | drawn from the library | gain |")
    print("|---" * 5 + "|")
    for name, values in rows.items():
        table = np.array(values)
        print(
            f"| {name} | {len(table)} | {means(table[:, 0])} | {means(table[:, 1])} | {shown(bootstrap(table[:, 2]))} |"
        )


def means(values: Array) -> str:
    """The mean share with its 95 % bootstrap interval over the steps."""
    rng = np.random.default_rng(0)
    low, high = np.quantile(
        values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1), (0.025, 0.975)
    )
    return f"{values.mean():.0%} [{low:.0%}, {high:.0%}]"


def aimed_cell(aim: str | None, parent: Cell | None) -> Cell | None:
    """The cell that a request named."""
    if aim is None or parent is None:
        return None
    return parent if aim.startswith("The parent") else parse_target_cell(aim, parent)


def about(skill: Skill, parent: Cell, reached: Cell, moved: Sequence[int]) -> bool:
    """Whether a skill is for a level that the step moved to, and not for the one that it left."""
    for axis in moved:
        allowed = skill.levels.get(AXES[axis].name, ())
        levels = AXES[axis].levels
        if levels[reached[axis]] in allowed and levels[parent[axis]] not in allowed:
            return skill.applies("dgemm", reached)
    return False


if __name__ == "__main__":
    main()
