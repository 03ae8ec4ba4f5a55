"""Skills: the library of techniques, and which of them a prompt shows."""

from qdkernel.mutators.skills.credit import PREFIX, SkillPool
from qdkernel.mutators.skills.library import BUILT_IN_SKILLS, LONGEST_SKILL, Skill, read_skill, read_skills

__all__ = [
    "BUILT_IN_SKILLS",
    "LONGEST_SKILL",
    "PREFIX",
    "Skill",
    "SkillPool",
    "read_skill",
    "read_skills",
]
