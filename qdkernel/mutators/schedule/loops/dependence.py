"""Whether the iterations of a loop depend on each other: a test that gives no false independence for plain indices.

An element is told by the text of its index. A loop is independent when everything that it writes is declared in its
body, or is an element whose index names the loop's variable and that is accessed by this index only. ``A[i * n + j]``
is taken for another element for every ``i``, which holds where rows do not overlap. Sums into one variable are told
apart: their order is free within the problem's error bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from qdkernel.evaluators.source import base, declared, text
from qdkernel.mutators.schedule.loops.nest import Loop, below

_NOT_INJECTIVE = re.compile(r"[%/&|?\[(]|>>")


@dataclass(frozen=True)
class Dependences:
    """What was found out about a loop.

    Attributes:
        independent: no iteration needs what another one writes, sums apart.
        sums: variables that every iteration adds to and does nothing else with.
    """

    independent: bool
    sums: tuple[str, ...] = ()


def dependences(loop: Loop) -> Dependences:
    """The result of the test for one loop."""
    own, arrays = {loop.variable, *_declared_in(loop.body)}, _arrays_in(loop.body)
    writes, sums = list(_writes(loop.body)), []
    for target, operator in writes:
        name = base(target)
        if name is None or target.type not in ("identifier", "subscript_expression"):
            return Dependences(False)
        if name in (own if target.type == "identifier" else arrays):
            continue
        if target.type == "identifier":
            if operator not in ("+=", "-=") or _mentions(loop.body, name) != _count(writes, name):
                return Dependences(False)
            sums.append(name)
        elif not _is_own_element(loop, target, name):
            return Dependences(False)
    if any(at.type == "call_expression" and not _is_pure(at) for at in below(loop.body)):
        return Dependences(False)
    return Dependences(True, tuple(dict.fromkeys(sums)))


def _is_own_element(loop: Loop, target: Node, name: str) -> bool:
    """Whether all accesses to an array in the loop are to one element, which is another in each iteration."""
    index = target.child_by_field_name("index")
    if index is None or _NOT_INJECTIVE.search(_without_casts(text(index))):
        return False
    accesses = [at for at in below(loop.body) if at.type == "subscript_expression" and base(at) == name]
    same = all(text(at) == text(target) for at in accesses) and len(accesses) == _mentions(loop.body, name)
    return same and re.search(rf"\b{loop.variable}\b", text(index)) is not None


def _without_casts(index: str) -> str:
    return re.sub(r"\((?:ptrdiff_t|size_t|long|int)\)", "", index)


def _writes(body: Node) -> Iterator[tuple[Node, str]]:
    for at in below(body):
        if at.type == "assignment_expression":
            left, sign = at.child_by_field_name("left"), at.child_by_field_name("operator")
            if left is not None and sign is not None:
                yield left, text(sign)
        elif at.type == "update_expression":
            argument = at.child_by_field_name("argument")
            if argument is not None:
                yield argument, "++"


def _declared_in(body: Node) -> set[str]:
    """Variables of the body; a pointer among them may lead to memory of others, so its elements count."""
    return {
        name
        for at in below(body)
        if at.type in ("init_declarator", "declaration")
        for name in [declared(at.child_by_field_name("declarator"))]
        if name is not None
    }


def _arrays_in(body: Node) -> set[str]:
    return {declared(at) or "" for at in below(body) if at.type == "array_declarator"}


def _mentions(body: Node, name: str) -> int:
    return sum(at.type == "identifier" and text(at) == name for at in below(body))


def _count(writes: list[tuple[Node, str]], name: str) -> int:
    return sum(base(target) == name for target, _ in writes)


def _is_pure(call: Node) -> bool:
    function = call.child_by_field_name("function")
    return (
        function is not None and re.fullmatch(r"(?:f?abs|sqrt|exp|fmax|fmin|pow|sin|cos)f?", text(function)) is not None
    )
