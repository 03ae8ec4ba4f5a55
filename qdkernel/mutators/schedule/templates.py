"""The schedule templates by problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdkernel.mutators.schedule.gemm import ELEMENT_BYTES, GemmTemplate
from qdkernel.mutators.schedule.template import ScheduleTemplate

TEMPLATES: Mapping[str, ScheduleTemplate[Any]] = {  # Any: each template has genomes of its own
    **{function: GemmTemplate(function, size) for function, size in ELEMENT_BYTES.items()},
}
