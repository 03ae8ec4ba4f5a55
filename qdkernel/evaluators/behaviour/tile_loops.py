"""Cache-tile loops of a kernel's source: loops that step by a constant and bound the loops inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tree_sitter import Node

from qdkernel.evaluators.source import LOOPS, Definition, Syntax, assigned, identifier, identifiers, text

LEAST_TILE = 8
"""Smallest step that counts as a cache tile; below it the loop steps over a vector or a register tile."""
_MAX_CALLS = 6  # calls that a bound is followed through
_MAX_STEPS = 300_000  # nodes looked at before the search gives up: under a second; kernels need about a thousand
_STEPS_PER_EXPRESSION = 40


@dataclass(frozen=True)
class TileLoop:
    """A loop over cache tiles: where it stands and its step."""

    function: str
    variable: str
    tile: int


def tile_loops(syntax: Syntax, live: list[Definition], extent: int) -> Iterator[TileLoop]:
    """The cache-tile loops in live functions.

    A tile loop advances by T with 8 <= T < ``extent`` (macros, enums, constants and variables that start as one are
    followed), or counts tiles whose offset is the count times T; and the bounds of a loop inside it depend on its
    variable, directly, through local variables, or through arguments of a call.

    Args:
        syntax: the kernel.
        live: its live functions.
        extent: the largest scored loop length; a tile of at least that much is a loop of one iteration.
    """
    search = _Search(syntax, live, extent)
    return (tile for definition in live for tile in search.tiles(definition))


@dataclass
class _Search:
    syntax: Syntax
    live: list[Definition]
    extent: int
    _steps_left: int = _MAX_STEPS
    _seen: set[tuple[str, frozenset[str]]] = field(default_factory=set)

    def tiles(self, definition: Definition) -> Iterator[TileLoop]:
        """The tile loops of one function."""
        for loop in self.syntax.walk(definition.body):
            if loop.type not in LOOPS or self._steps_left < 0:
                continue
            for variable, step in self._steps(loop):
                tile = self.syntax.constants.value(step)
                if self._is_tile(tile):
                    seeds = {variable}
                else:
                    tile, seeds = self._scaled(loop, variable)
                self._seen = set()
                if tile is not None and seeds and self._bounds(loop, seeds, _MAX_CALLS):
                    yield TileLoop(definition.name, variable, tile)
                    break

    def _steps(self, loop: Node) -> Iterator[tuple[str, str]]:
        """(variable, step as text) of what advances a loop; a step of one is written ``1``."""
        update, condition = loop.child_by_field_name("update"), loop.child_by_field_name("condition")
        tested = identifiers(condition)
        for node in self._nodes(update if update is not None else loop):
            found = _step(node)
            if found is not None and (update is not None or found[0] in tested):
                yield found

    def _nodes(self, region: Node) -> Sequence[Node]:
        """The nodes of a region; none when the search has gone on for too long."""
        if self._steps_left < 0:
            return ()
        nodes = self.syntax.walk(region)
        self._steps_left -= len(nodes)
        return nodes

    def _may_look(self) -> bool:
        """Whether the search goes on to look at all of an expression, which counts as many steps."""
        self._steps_left -= _STEPS_PER_EXPRESSION
        return self._steps_left >= 0

    def _is_tile(self, tile: int | None) -> bool:
        return tile is not None and LEAST_TILE <= tile < self.extent

    def _scaled(self, loop: Node, variable: str) -> tuple[int | None, set[str]]:
        """Tile size and variables that hold a multiple of a counted loop's variable, e.g. ``i0 = block * MC``."""
        counted = self._derived(loop, {variable})
        found, names = None, set()
        for node in self._nodes(loop):
            if node.type not in ("init_declarator", "assignment_expression"):
                continue
            name, value = assigned(node)
            if name is None or value is None or name == variable:
                continue
            for product in self.syntax.walk(value):
                if product.type == "binary_expression" and self._may_look():
                    tile = self._factor(product, counted)
                    if self._is_tile(tile):
                        found = tile
                        names.add(name)
        return found, names

    def _factor(self, product: Node, counted: set[str]) -> int | None:
        """The constant in ``counted * constant``."""
        sign, sides = product.child_by_field_name("operator"), []
        for name in ("left", "right"):
            side = product.child_by_field_name(name)
            if sign is None or sign.type != "*" or side is None:
                return None
            sides.append(side)
        for count, constant in (sides, sides[::-1]):
            if identifiers(count) & counted:
                return self.syntax.constants.value(text(constant))
        return None

    def _derived(self, region: Node, seeds: set[str]) -> set[str]:
        """The names whose value in a region depends on the seeds."""
        names = set(seeds)
        pairs = []
        for node in self._nodes(region):
            if node.type in ("init_declarator", "assignment_expression"):
                name, value = assigned(node)
                if name is not None and value is not None and self._may_look():
                    pairs.append((name, identifiers(value)))
        before = 0
        while before < len(names) and self._steps_left > 0:  # ends: each round adds a name
            before = len(names)
            self._steps_left -= len(pairs)
            names |= {name for name, used in pairs if used & names}
        return names

    def _bounds(self, region: Node, seeds: set[str], calls: int) -> bool:
        """Whether the start or end of a loop inside the region depends on the seeds."""
        names = self._derived(region, seeds)
        for node in self._nodes(region):
            if node.type in LOOPS and node != region and self._may_look():
                parts = (node.child_by_field_name(part) for part in ("initializer", "condition"))
                if any(identifiers(part) & names for part in parts):
                    return True
            elif node.type == "call_expression" and calls and self._bounds_in_callee(node, names, calls - 1):
                return True
        return False

    def _bounds_in_callee(self, call: Node, names: set[str], calls: int) -> bool:
        function, given = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        if function is None or given is None:
            return False
        arguments = [identifiers(argument) & names for argument in given.named_children]
        for definition in self.syntax.definitions.get(identifier(function), ()):
            reached = frozenset(p for p, used in zip(definition.parameters, arguments, strict=False) if used)
            if reached and (definition.name, reached) not in self._seen:
                self._seen.add((definition.name, reached))
                if self._bounds(definition.body, set(reached), calls):
                    return True
        return False


def _step(node: Node) -> tuple[str, str] | None:
    if node.type == "update_expression":
        argument = node.child_by_field_name("argument")
        return (text(argument), "1") if argument is not None else None
    if node.type != "assignment_expression":
        return None
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    sign = node.child_by_field_name("operator")
    if left is None or right is None or sign is None or left.type != "identifier":
        return None
    if sign.type in ("+=", "-="):
        return text(left), text(right)
    if sign.type == "=" and right.type == "binary_expression":
        sides = [right.child_by_field_name("left"), right.child_by_field_name("right")]
        operator = right.child_by_field_name("operator")
        if operator is not None and operator.type in ("+", "-") and sides[0] is not None and sides[1] is not None:
            names = [text(side) for side in sides if side is not None]
            if text(left) in names:
                return text(left), names[1 - names.index(text(left))]
    return None
