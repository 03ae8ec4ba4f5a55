from __future__ import annotations

import json

import pytest

from qdkernel.core import Cell, cell_name, parse_cell, reachable_cells
from qdkernel.mutators.llm.prompts.target import parse_target_cell
from qdkernel.mutators.llm.prompts.wording import format_cell

PARENT = "cache+register/256/static/near"


def read(text: str, parent: str = PARENT) -> str | None:
    cell = parse_target_cell(text, parse_cell(parent))
    return None if cell is None else cell_name(cell)


@pytest.mark.parametrize("write", [format_cell, cell_name])
def test_every_cell_in_the_words_of_a_prompt_is_read_back(write: object) -> None:
    for cell in reachable_cells((128, 256, 512)):
        assert parse_target_cell(write(cell), Cell(0, 0, 0, 0)) == cell  # type: ignore[operator]
        assert parse_target_cell(write(cell), Cell(4, 3, 3, 3)) == cell  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        # replies of a model to the plan prompt
        ("packed, 512-bit, static loop, prefetch near, register tile 8 rows x 3 vectors", "packed/512/static/near"),
        ("packed, 512-bit, static loop, prefetch both", "packed/512/static/both"),
        ("packed, 512-bit, nested or 2-D threading, prefetch near", "packed/512/nested/near"),
        # other ways to say it
        ("packed, 512, static, none", "packed/512/static/none"),
        ("none, scalar, serial, none", "none/scalar/serial/none"),
        ("Blocking: cache and register; SIMD: AVX-512; threading: dynamic loop; prefetch: L1 and L2",
         "cache+register/512/dynamic/both"),
        ("keep everything as the parent, but 512-bit", "cache+register/512/static/near"),
        ("same cell", PARENT),
        ("add packing, drop prefetch", "packed/256/static/none"),
        ("Packed panels, AVX2, OpenMP tasks, prefetch to L2", "packed/256/nested/far"),
        ("register blocking only, zmm, single-threaded, no software prefetch", "register/512/serial/none"),
        ("prefetch into the L2 cache", "cache+register/256/static/far"),
        ("prefetch both near and far", "cache+register/256/static/both"),
        ("cache tiles around a register tile, 256-bit", "cache+register/256/static/near"),
        ("use packed/512/dynamic/far please", "packed/512/dynamic/far"),
        ("packed, 512 bits, static, near + far", "packed/512/static/both"),
        ("blocking=packed simd=512 threading=static prefetch=near", "packed/512/static/near"),
        ("packed with kc 128, mc 512", "packed/256/static/near"),
    ],
)  # fmt: skip
def test_words_name_a_cell(text: str, cell: str) -> None:
    assert read(text) == cell


def test_no_packing_leads_back_to_tiles() -> None:
    assert read("without packing", "packed/512/static/near") == "cache+register/512/static/near"


@pytest.mark.parametrize(
    "text", ["", "as fast as possible", "{}", "use 17 accumulators", "\x00" * 50, "a, b, c" * 1000]
)
def test_words_that_name_no_level_give_nothing(text: str) -> None:
    assert read(text) is None


def test_long_hostile_words_are_read_quickly() -> None:
    for piece in ("register cache ", "prefetch to ", "no no ", "/", "packed/", "cache "):
        parse_target_cell(json.dumps(piece * 5000), Cell(0, 0, 0, 0))
