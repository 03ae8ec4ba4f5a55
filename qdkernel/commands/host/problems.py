"""``qdkernel problems``: what can be computed, with sizes, baseline, templates and contract."""

from __future__ import annotations

import json

from qdkernel.core import LibraryBaseline, Problem, size_text
from qdkernel.machine import this_machine
from qdkernel.mutators.schedule import TEMPLATES
from qdkernel.problems import PROBLEMS


def problems(as_json: bool) -> int:
    """Prints every problem: a sentence, the sizes scored on this machine by default, baseline, templates, contract."""
    last_level_bytes = this_machine(None).last_level_bytes
    found = [_facts(problem, last_level_bytes) for problem in PROBLEMS.values()]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for facts in found:
        print(f"{facts['name']}: {facts['summary']}")
        for name in ("sizes", "baseline", "templates", "contract"):
            if facts[name]:
                print(f"  {name:9} {facts[name]}")
    return 0


def _facts(problem: Problem, last_level_bytes: int) -> dict[str, str]:
    own = problem.baseline
    return {
        "name": problem.name,
        "summary": problem.summary,
        "sizes": "; ".join(map(size_text, problem.default_sizes(last_level_bytes))),
        "baseline": f"OpenBLAS, {own.symbol}" if isinstance(own, LibraryBaseline) else own.file,
        "templates": "schedule" if problem.name in TEMPLATES else "none: schedule transforms loops of the parent",
        "contract": problem.contract,
        "prototype": problem.prototype,
    }
