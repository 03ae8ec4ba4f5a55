from __future__ import annotations

import json

from pydantic import TypeAdapter

from qdkernel.core import Arm, Cell, KernelId, Provenance

FULL = Provenance(
    Arm("edit", "large"), Cell(4, 3, 1, 2), "one thread", KernelId("a" * 64), 2, {"pitfalls": 3}, (KernelId("b" * 64),)
)


def test_a_provenance_survives_json() -> None:
    for provenance in (FULL, Provenance(), Provenance(Arm("tune"))):
        again = TypeAdapter(Provenance).validate_python(json.loads(json.dumps(provenance.to_json())))
        assert again == provenance
        assert again.arm is None or isinstance(again.arm, Arm)


def test_an_arm_is_ordered_by_operator_then_model() -> None:
    assert sorted([Arm("tune"), Arm("edit", "small"), Arm("edit", "large")]) == [
        Arm("edit", "large"),
        Arm("edit", "small"),
        Arm("tune"),
    ]
