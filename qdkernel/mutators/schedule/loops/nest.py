"""The counted loops of a kernel, as its text has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from qdkernel.evaluators.source import text, tree_of


@dataclass(frozen=True)
class Loop:
    """``for (T i = first; i < last; i++) body``, whose body leaves ``i`` alone.

    Attributes:
        node: in the tree of the source.
        body: the statement.
        kind: the type of the variable.
        variable: its name.
        first: expression of the first value.
        last: expression of the value behind the last one.
        pragma: the line of a pragma before it; empty for none.
        outer: the counted loop around it.
    """

    node: Node
    body: Node
    kind: str
    variable: str
    first: str
    last: str
    pragma: str
    outer: Loop | None = None

    @property
    def in_parallel(self) -> bool:
        """Whether a counted loop around it is shared by threads."""
        return self.outer is not None and ("omp parallel" in self.outer.pragma or self.outer.in_parallel)

    @property
    def only(self) -> Node | None:
        """The only statement of the body; ``None`` for several."""
        inside = [child for child in self.body.named_children if child.type != "comment"]
        if self.body.type != "compound_statement":
            return self.body
        return inside[0] if len(inside) == 1 else None


def loops_of(source: str) -> list[Loop]:
    """The counted loops of a kernel in the order of the text; those within macros are not found."""
    return list(_loops(tree_of(source), None))


def _loops(node: Node, outer: Loop | None) -> Iterator[Loop]:
    stack = [(node, outer)]
    while stack:
        at, around = stack.pop()
        loop = _counted(at, around) if at.type == "for_statement" else None
        if loop is not None:
            yield loop
        stack.extend((child, loop or around) for child in reversed(at.named_children))


def _counted(node: Node, outer: Loop | None) -> Loop | None:
    start, condition, update, body = (
        node.child_by_field_name(name) for name in ("initializer", "condition", "update", "body")
    )
    if start is None or condition is None or update is None or body is None or start.type != "declaration":
        return None
    declared = re.fullmatch(r"((?:int|long|size_t|ptrdiff_t|unsigned)(?: \w+)*) (\w+) = ([^;,]+);", text(start))
    if declared is None:
        return None
    kind, name, first = declared.groups()
    bound = re.fullmatch(rf"{name} < (.+)", text(condition), re.DOTALL)
    counts = text(update) in (f"{name}++", f"++{name}", f"{name} += 1")
    if bound is None or not counts or _sets(body, name) or re.search(r"&&|\|\||[?=]", bound[1]):
        return None
    before = node.prev_named_sibling
    pragma = text(before) if before is not None and before.type.startswith("preproc") else ""
    return Loop(node, body, kind, name, first.strip(), bound[1].strip(), pragma, outer)


def _sets(body: Node, name: str) -> bool:
    """Whether a statement changes a variable or takes its address, or leaves the loop."""
    return any(
        (at.type in ("assignment_expression", "update_expression") and re.match(rf"\W*{name}\b(?!\[)", text(at)))
        or (at.type == "pointer_expression" and text(at) == f"&{name}")
        or at.type in ("break_statement", "return_statement", "goto_statement")
        for at in below(body)
    )


def below(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        at = stack.pop()
        yield at
        stack.extend(reversed(at.named_children))
