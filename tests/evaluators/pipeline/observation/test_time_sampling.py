"""Where kernels spend their time: places that a timer in the child has noted, and what they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.evaluators.behaviour import MachineLoop, Part, time_split
from qdkernel.evaluators.behaviour.hot_loop import call_graph, hot_loop
from qdkernel.evaluators.binary import Disassembly, disassemble, read_shared_object
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.pipeline.observation.time_sampling import sampled_time
from tests.compiled import compile_c
from tests.conftest import make_spec
from tests.paths import CASES

PACKS = (CASES / "behaviour" / "packs_while_scaling.c").read_text()
PACKS_OFTEN = PACKS.replace(
    "                pack_a(", "                for (int again = 0; again < 64; again++) pack_a("
)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvaluationContext]:
    made = EvaluationContext(make_spec(tmp_path_factory.mktemp("scratch"), "dgemm", 192))
    yield made
    made.close()


def facts(made: Path) -> tuple[Disassembly, MachineLoop]:
    code = disassemble(read_shared_object(made))
    hot = hot_loop(code, call_graph(code))
    assert hot is not None
    return code, hot


def shares(context: EvaluationContext, source: str, folder: Path) -> dict[str, int]:
    """Percent by the name of the part, of a kernel that is called."""
    made = context.compile(source, folder)
    tries = (sampled_time(context, made, *facts(made)) for _ in range(5))
    text = next(filter(None, tries))  # a busy host gives too few samples
    assert re.fullmatch(r"of its time: ([a-z ]+ \d+%(, )?)+ \(\d+ samples of the first thread\)", text), text
    return {name.strip(): int(share) for name, share in re.findall(r"([a-z ]+) (\d+)%", text)}


@pytest.mark.isa("avx2", "fma")
def test_most_time_of_a_packed_kernel_is_spent_in_its_hot_loop(context: EvaluationContext, tmp_path: Path) -> None:
    found = shares(context, PACKS, tmp_path)
    assert max(found, key=lambda part: found[part]) == "hot loop"
    assert 95 <= sum(found.values()) <= 105  # rounded, each


@pytest.mark.isa("avx2", "fma")
def test_a_kernel_that_packs_again_and_again_is_seen_packing(context: EvaluationContext, tmp_path: Path) -> None:
    assert PACKS_OFTEN != PACKS
    found = shares(context, PACKS_OFTEN, tmp_path)
    assert max(found, key=lambda part: found[part]) == "packing"


def test_places_belong_to_the_loops_that_they_lie_in(tmp_path: Path) -> None:
    code, hot = facts(compile_c(PACKS, tmp_path))
    inside = [instruction.address for instruction in hot.instructions]
    assert time_split(code, hot, inside) == {Part.HOT_LOOP: len(inside)}
    assert time_split(code, hot, [0, 1 << 40, -(1 << 40)]) == {Part.LIBRARIES: 3}
    everywhere = [each.address for function in code.functions.values() for each in function.instructions]
    found = time_split(code, hot, everywhere)
    assert sum(found.values()) == len(everywhere)
    assert set(found) >= {Part.HOT_LOOP, Part.PACKING, Part.AROUND, Part.EDGES}
