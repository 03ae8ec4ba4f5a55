"""The calls of a kernel that an observed run goes through wrappers for: OpenMP's runtime (libgomp), and copies."""

from __future__ import annotations

_DEALT = ("dynamic", "guided", "runtime", "nonmonotonic_dynamic", "nonmonotonic_guided", "nonmonotonic_runtime",
          "maybe_nonmonotonic_runtime")  # fmt: skip
_LOOPS = tuple(f"GOMP_loop_{integers}{kind}" for integers in ("", "ull_") for kind in (*_DEALT, *(
    f"ordered_{kind}" for kind in _DEALT[:3])))  # fmt: skip
WRAPPERS = {
    "GOMP_parallel": "REGION({}, 0)",
    "GOMP_parallel_reductions": "REGION({}, 0)",
    "GOMP_parallel_loop_static": "REGION({}, 0)",
    "GOMP_teams_reg": "REGION({}, 0)",
    "GOMP_parallel_sections": "REGION({}, 1)",
    **{f"GOMP_parallel_loop_{kind}": "REGION({}, 1)" for kind in _DEALT},
    **{f"{loop}_start": "SHARE({}, 1, 0xff)" for loop in _LOOPS},
    **{f"{loop}_next": "SHARE({}, 0, 0xff)" for loop in _LOOPS},
    "GOMP_sections_start": "SHARE({}, 1, ~0u)",
    "GOMP_sections_next": "SHARE({}, 0, ~0u)",
    "GOMP_task": "TASKS({}, DEFERRED)",
    "GOMP_taskloop": "TASKS({}, 2)",
    "GOMP_taskloop_ull": "TASKS({}, 2)",
    "memcpy": "COPY({})",
    "memmove": "COPY({})",
}
"""Imported name -> the macro of native/trace.c that makes its wrapper."""


def wrappers_header() -> str:
    """The text of wrappers.h, which native/trace.c includes."""
    return "".join(f"{macro.format(name)}\n" for name, macro in WRAPPERS.items())
