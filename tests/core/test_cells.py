from __future__ import annotations

import json

import numpy as np

from qdkernel.core import AXES, Blocking, Cell, PrefetchLevel, Simd, Threading, parse_cell


def test_a_cell_is_named_and_still_the_tuple_of_its_levels() -> None:
    cell = parse_cell("packed/512/static/near")
    assert (cell.blocking, cell.simd, cell.threading, cell.prefetch) == (
        Blocking.PACKED,
        Simd.BITS_512,
        Threading.STATIC,
        PrefetchLevel.NEAR,
    )
    assert {cell: 1}[Cell(4, 3, 1, 1)] == 1
    assert json.loads(json.dumps(cell)) == [4, 3, 1, 1]
    assert Cell(*np.array(cell)) == cell == (4, 3, 1, 1)


def test_the_enumerations_have_the_levels_of_the_axes_in_their_order() -> None:
    names = {"CACHE_REGISTER": "cache+register", "BITS_128": "128", "BITS_256": "256", "BITS_512": "512"}
    for kind, axis in zip((Blocking, Simd, Threading, PrefetchLevel), AXES, strict=True):
        assert tuple(names.get(level.name, level.name.lower()) for level in kind) == axis.levels
        assert [level.value for level in kind] == list(range(len(axis.levels)))
