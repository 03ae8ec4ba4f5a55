"""The schedule templates by problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdkernel.core import Notes
from qdkernel.mutators.schedule.families import FAMILIES, FamilyTemplate
from qdkernel.mutators.schedule.gemm import ELEMENT_BYTES, GemmTemplate
from qdkernel.mutators.schedule.stencil import JACOBI2D, StencilTemplate
from qdkernel.mutators.schedule.template import G, ScheduleTemplate

Templates = Mapping[str, ScheduleTemplate[Any]]  # Any: each template has its own genome

TEMPLATES: Templates = {
    **{name: GemmTemplate(name) for name in ELEMENT_BYTES},
    **{stencil.function: StencilTemplate(stencil) for stencil in (JACOBI2D,)},
    **{family.function: FamilyTemplate(family) for family in FAMILIES},
}
"""The template of each problem that has one, by the problem's name."""


def genome_of(notes: Notes, template: ScheduleTemplate[G]) -> G | None:
    """The genome kept beside a kernel, or ``None`` when there is none (a seed, a model's kernel, an older version)."""
    values = notes.get("genome")
    if not isinstance(values, Mapping):
        return None
    try:
        return template.from_json(values)
    except TypeError:
        return None
