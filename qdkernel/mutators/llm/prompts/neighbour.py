"""The source of a kernel shown beside the parent: whole, or what of it the parent lacks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from qdkernel.mutators.llm.prompts.budget import Variants, fenced

# By axis: what the paragraphs that bring about a level have in them.
_CONCERNS = {
    "blocking": re.compile(r"pack|tile|block|\b[MNK]C\b"),
    "simd": re.compile(r"vector_size|_mm\d*_|__m\d|vec\b"),
    "threading": re.compile(r"#pragma omp|\bomp_"),
    "prefetch": re.compile(r"prefetch|_stream_|nontemporal"),
}


def neighbour_variants(source: str, parent: str) -> Variants:
    """A source between fences, then the shorter of two abridgements where it is shorter.

    One is the difference from the parent, the other leaves out the paragraphs that the parent has, too.
    """
    lines = difflib.unified_diff(parent.splitlines(), source.splitlines(), lineterm="", n=1)
    difference = "\n".join(list(lines)[2:])
    abridged = min(
        f"As a difference from the parent (-), with its lines (+):\n{fenced(difference, 'diff')}",
        f"Without what it has in common with the parent:\n{fenced(_joined(_own(source, parent)))}",
        key=len,
    )
    whole = fenced(source)
    return (whole, abridged) if len(abridged) < len(whole) else (whole,)


def mate_variants(source: str, parent: str, axes: Iterable[str]) -> Variants:
    """The same for a kernel that is crossed with the parent, and last its paragraphs that concern some axes.

    Args:
        source: of the mate.
        parent: the first kernel's source.
        axes: on which the child takes the mate's level.
    """
    concerns = [_CONCERNS[axis] for axis in axes]
    own = _own(source, parent)
    kept = [part for part in own if any(pattern.search(part) for pattern in concerns)]
    variants = neighbour_variants(source, parent)
    if not kept or len(kept) == len(own):
        return variants
    return *variants, f"The parts of it that matter here:\n{fenced(_joined(kept))}"


def _own(source: str, parent: str) -> list[str]:
    """The paragraphs of a source that the parent does not have."""
    known = set(parent.split("\n\n"))
    return [part for part in source.strip().split("\n\n") if part not in known]


def _joined(paragraphs: Sequence[str]) -> str:
    return "\n\n".join(paragraphs)
