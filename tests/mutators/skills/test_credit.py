from __future__ import annotations

import json
from collections import Counter

import numpy as np

from qdkernel.core import parse_cell
from qdkernel.mutators.skills import PREFIX, Skill, SkillPool

CELL = parse_cell("packed/256/serial/none")
SKILLS = tuple(Skill(name, name, "a technique", "a test") for name in ("one", "two", "three"))


def shown(pool: SkillPool, count: int = 300) -> Counter[str]:
    rng = np.random.default_rng(0)
    return Counter(skill.name for _ in range(count) for skill in pool.choose("dgemm", CELL, None, 1, rng))


def test_a_skill_that_earned_is_shown_more_often() -> None:
    pool = SkillPool(SKILLS)
    for _ in range(6):
        pool.credit({f"{PREFIX}one": 1}, 0.5)
        pool.credit({f"{PREFIX}two": 1}, 0.0)
    counts = shown(pool)
    assert counts["one"] > 2 * counts["two"] > 0


def test_a_skill_that_never_earns_is_dropped() -> None:
    pool = SkillPool(SKILLS)
    for _ in range(12):
        pool.credit({f"{PREFIX}two": 1}, 0.0)
    assert set(shown(pool)) == {"one", "three"}


def test_sections_that_are_no_skills_change_nothing() -> None:
    pool = SkillPool(SKILLS)
    pool.credit({"approach": 2}, 1.0)
    assert pool.to_json() == {}


def test_what_skills_earned_survives_json() -> None:
    pool, again = SkillPool(SKILLS), SkillPool(SKILLS)
    pool.credit({f"{PREFIX}one": 1, f"{PREFIX}two": 1}, 0.25)
    again.restore(json.loads(json.dumps(pool.to_json())))
    assert shown(again) == shown(pool)


def test_a_skill_for_the_way_to_the_target_is_likelier_than_one_for_the_parent_too() -> None:
    packing = Skill("packing", "Pack", "pack", "a test", levels={"blocking": ("packed",)})
    pool = SkillPool((packing, SKILLS[0]))
    rng, parent = np.random.default_rng(0), parse_cell("cache/256/serial/none")
    counts = Counter(s.name for _ in range(200) for s in pool.choose("dgemm", parent, CELL, 1, rng))
    assert counts["packing"] > 2 * counts["one"]
