"""One fuzz case: what is made from a seed and a number, what it is put through, and what may come of it."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.behaviour.hot_loop import call_graph
from qdkernel.evaluators.behaviour.packing import find_packing, has_copy_code
from qdkernel.evaluators.behaviour.tile_loops import tile_loops
from qdkernel.evaluators.binary import disassemble, read_shared_object, refuse_object
from qdkernel.evaluators.source import normal_hash, parse, refuse_source
from qdkernel.mutators.schedule import tunables, with_values
from tests.fuzz import pools
from tests.fuzz.object_mutations import mutated_object
from tests.fuzz.source_mutations import mutated_source

DEADLINE_S = {"source": 10.0, "object": 20.0}  # some times what the slowest took on the slowest machine so far
"""Processor time that a case may take, by kind."""
_EXTENT, _NEST = 1024, 3  # of dgemm
_HONEST = "void dgemm(int n) { for (int i = 0; i < n; i += 64) for (int j = i; j < i + 64; j++) ; }"


@dataclass(frozen=True)
class Case:
    """Bytes to judge: a C source, or a shared object."""

    kind: str
    data: bytes


def make_case(seed: int, number: int, objects: Path, share: float = 0.2) -> Case:
    """The case of a campaign by its number.

    Args:
        seed: of the campaign.
        number: from 0.
        objects: folder with the compiled kernels; without any every case is a source.
        share: how many cases are objects.
    """
    rng = random.Random(f"{seed}/{number}")
    found = _objects(objects)
    if found and rng.random() < share:
        return Case("object", mutated_object(rng, found))
    return Case("source", mutated_source(rng, pools.sources()))


@functools.cache
def _objects(folder: Path) -> tuple[bytes, ...]:
    return pools.objects(folder)


def judge_source(data: bytes) -> str:
    """Puts a source through everything that reads C text; nothing may be raised.

    Returns:
        ``accepted`` or ``refused``, by the source policy.
    """
    refused = refuse_source(data, "dgemm")
    text = data.decode("utf-8", "surrogateescape")  # as the evaluator and the model's replies hand it on
    assert len(normal_hash(text)) == 64
    syntax = parse(text)
    live = syntax.live("dgemm")
    for tile in tile_loops(syntax, live, _EXTENT):
        assert 8 <= tile.tile < _EXTENT
    find_packing(syntax, live)
    knobs = tunables(text)
    assert with_values(text, {knob.name: knob.value for knob in knobs[:1]}).count("\n") == text.count("\n")
    with_values(text, {knob.name: knob.choices[-1] for knob in knobs})
    return "accepted" if refused is None else "refused"


def judge_object(data: bytes, path: Path) -> str:
    """Puts an object through the reader, the policy and the behaviour; only the reader's ``ValueError`` is allowed.

    Args:
        data: the object.
        path: a file to keep it in meanwhile.

    Returns:
        ``unreadable``, ``refused`` by the object policy, or ``accepted``.

    Raises:
        MemoryError: the reader asked for more than the process has and reported damage.
    """
    path.write_bytes(data)
    try:
        shared_object = read_shared_object(path)
        disassembly = disassemble(shared_object)
    except ValueError as error:
        if isinstance(error.__cause__, MemoryError):
            raise MemoryError("while reading a damaged object") from error
        return "unreadable"
    refused = refuse_object(shared_object, disassembly, "dgemm")
    describe(_HONEST, shared_object, disassembly, _EXTENT, _NEST)
    has_copy_code(shared_object, disassembly, call_graph(disassembly))
    return "accepted" if refused is None else "refused"


def judge(case: Case, path: Path) -> str:
    """What comes of a case; see ``judge_source`` and ``judge_object``."""
    judges: dict[str, Callable[[], str]] = {
        "source": lambda: judge_source(case.data),
        "object": lambda: judge_object(case.data, path),
    }
    return judges[case.kind]()
