"""``qdkernel skills``: the library of techniques that prompts draw on, and new ones mined from a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from qdkernel.analysis import improving_steps
from qdkernel.core import printable, write_atomically
from qdkernel.errors import unknown
from qdkernel.mutators.skills import BUILT_IN_SKILLS, Skill, read_skills
from qdkernel.runs import RunFolder


def list_skills(folders: Sequence[Path]) -> int:
    """Prints name, title and scope of every skill."""
    for skill in read_skills((BUILT_IN_SKILLS, *folders)):
        print(printable(f"{skill.name}: {skill.title} ({_scope(skill)})"))
    return 0


def show_skill(name: str, folders: Sequence[Path]) -> int:
    """Prints a skill's file.

    Raises:
        UnknownName: no such skill.
    """
    skills = {skill.name: skill for skill in read_skills((BUILT_IN_SKILLS, *folders))}
    if name not in skills:
        raise unknown("skill", name, skills)
    print(printable(skills[name].to_text(), keep="\n"), end="")
    return 0


def mine_skills(run: Path, out: Path, most: int) -> int:
    """Writes the run's largest improving steps as skills, a file each; files that are there already stay."""
    with RunFolder.open(run) as folder:
        steps = improving_steps(folder.evaluations.records())
        skills = [step.skill(folder.path.name, folder.meta["problem"]) for step in steps[:most]]
    out.mkdir(parents=True, exist_ok=True)
    for skill in skills:
        path = out / f"{skill.name}.md"
        if path.exists():
            print(f"{path}: kept as it is", file=sys.stderr)
            continue
        write_atomically(path, skill.to_text().encode("utf-8", "replace"))
        print(printable(f"{path}: {skill.gain}: {skill.title}"))
    if not skills:
        print("no step of this run made a kernel more than 5 % faster for certain", file=sys.stderr)
    else:
        print(f"use them: --set 'llm.skill_folders=[{out}]'", file=sys.stderr)
    return 0


def _scope(skill: Skill) -> str:
    problems = " ".join(skill.problems) or "all problems"
    levels = [f"{axis} {' '.join(allowed)}" for axis, allowed in skill.levels.items()]
    return "; ".join([problems, *levels])
