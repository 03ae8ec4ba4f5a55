"""Packing in a kernel: operands copied into contiguous scratch memory that the arithmetic then reads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from qdkernel.evaluators.behaviour.hot_loop import CallGraph
from qdkernel.evaluators.behaviour.observed import Observed
from qdkernel.evaluators.binary import Disassembly, Function, SharedObject
from qdkernel.evaluators.source import (
    LOOPS,
    Definition,
    Syntax,
    assigned,
    base,
    declared,
    identifier,
    identifiers,
    text,
)

# Elements; a smaller array of known size is a register tile or the corner of one, not a panel.
LEAST_PANEL = 513
_LEAST_SCRATCH_BYTES = 2048  # of static storage or stack: a panel of 513 floats; spilled registers take less
_ALLOCATORS = frozenset({
    "malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "alloca", "__builtin_alloca",
    "__builtin_alloca_with_align", "_mm_malloc",
})  # fmt: skip
_COPIES = frozenset({
    "memcpy", "memmove", "__builtin_memcpy", "__builtin_memmove",
})  # fmt: skip
_VECTOR_STORE = re.compile(r"_mm\d*_(?:mask_)?(?:store|stream|scatter)|vst1|svst(?:nt)?1")
# Bounds on following pointers; kernels have about a hundred edges between a handful of arrays.
_MAX_EDGES = 20_000
_MAX_STEPS = 500_000

Key = tuple[str, str]
"""(function, variable); the function is empty for variables at file level."""


@dataclass(frozen=True)
class Packing:
    """A copy loop of the source: where it stands and the scratch variable it fills."""

    function: str
    target: str


def find_packing(syntax: Syntax, live: list[Definition]) -> Packing | None:
    """The first loop in live code that copies array elements into scratch memory which live code reads.

    Scratch memory is an array of at least 513 elements, static, on the stack or of a thread, or what an allocator
    returned; it is followed through pointers and arguments. An element that is summed into is no copy.
    """
    scratch = _Scratch(syntax, live)
    read = {root for definition in live for root in scratch.read_in(definition)}
    for definition in live:
        for node in _inside_loops(syntax, definition):
            target = _copied_into(node)
            if target and scratch.roots(definition.name, target) & read:
                return Packing(definition.name, target)
    return None


def _inside_loops(syntax: Syntax, definition: Definition) -> Iterator[Node]:
    seen: set[int] = set()
    for loop in syntax.walk_with_macros(definition.body):
        if loop.type in LOOPS and loop.id not in seen:
            nodes = syntax.walk_with_macros(loop)
            seen.update(node.id for node in nodes)
            yield from nodes


def has_copy_code(so: SharedObject, disassembly: Disassembly, graph: CallGraph) -> bool:
    """Whether the object has scratch storage, and reachable code that loads and stores in a loop without summing."""
    return _has_storage(so, disassembly, graph) and any(
        _copies(disassembly.functions[address], base_depth) for address, base_depth in graph.depth.items()
    )


def copied_bytes(disassembly: Disassembly, observed: Observed) -> int:
    """Bytes that loops which load and store without summing have stored, and memcpy has copied, in an observed run."""
    total = observed.runtime.copied_bytes
    for address, function in disassembly.functions.items():
        counts = observed.counts[address]
        for loop in function.flow.loops:
            ran = frozenset(block for block in loop.own if counts[block])
            if ran and copies_in(function, ran):
                total += sum(counts[block] * _stored(function, block) for block in ran)
    return total


def _stored(function: Function, block: int) -> int:
    """Bytes that one execution of a block stores."""
    return sum(function.processor.access(each).stored_bytes for each in function.in_blocks(frozenset((block,))))


def _has_storage(so: SharedObject, disassembly: Disassembly, graph: CallGraph) -> bool:
    if _ALLOCATORS & set(so.imports):
        return True
    if sum(so.section_size(name) for name in (".bss", ".tbss", ".data", ".tdata")) >= _LEAST_SCRATCH_BYTES:
        return True
    for address in graph.depth:
        function = disassembly.functions[address]
        if any(function.processor.reserves(each) >= _LEAST_SCRATCH_BYTES for each in function.instructions):
            return True
    return False


def _copies(function: Function, base_depth: int) -> bool:
    for reference in function.references:
        if reference.symbol in _COPIES and base_depth + function.depth_at(reference.address) > 0:
            return True
    return any(copies_in(function, loop.own) for loop in function.flow.loops)


def copies_in(function: Function, blocks: frozenset[int]) -> bool:
    """Whether blocks load and store, and do not sum."""
    loads = stores = False
    for instruction in function.in_blocks(blocks):
        work = function.processor.arithmetic(instruction)
        if work is not None and work.sums:
            return False
        loaded, stored = function.processor.copies(instruction)
        loads |= loaded
        stores |= stored
    return loads and stores


class _Scratch:
    """Which variables hold scratch memory, and whose: a map from a variable to the arrays it may point into."""

    def __init__(self, syntax: Syntax, live: list[Definition]) -> None:
        self._syntax = syntax
        self._live = live
        self._roots: dict[Key, set[Key]] = {}
        self._no_arrays: set[int] = set()  # declarators of parameters, and inner ones of arrays of arrays
        for function, region in [("", syntax.root), *((d.name, d.body) for d in live)]:
            for node in syntax.walk(region, into_functions=function != ""):
                # Not the node's parent: the tree finds it from its root on, which takes long in a deep one.
                if node.type in ("array_declarator", "parameter_declaration"):
                    inner = node.child_by_field_name("declarator")
                    self._no_arrays |= {inner.id} if inner is not None else set()
                if name := self._scratch_name(node):
                    self._roots[function, name] = {(function, name)}
        self._follow_pointers()

    def _follow_pointers(self) -> None:
        targets: dict[Key, list[Key]] = {}
        for source, target in dict.fromkeys(itertools.islice(self._edges(), _MAX_EDGES)):
            targets.setdefault(source, []).append(target)
            if ("", source[1]) in self._roots:
                targets.setdefault(("", source[1]), []).append(target)
        pending, left = list(self._roots), _MAX_STEPS
        while pending and left > 0:  # ends: the sets only grow
            source = pending.pop()
            for target in targets.get(source, ()):
                left -= 1 + len(self._roots[source])
                new = self._roots[source] - self._roots.get(target, set())
                if new:
                    self._roots.setdefault(target, set()).update(new)
                    pending.append(target)

    def roots(self, function: str, name: str) -> set[Key]:
        """The scratch arrays that a variable may point into."""
        return self._roots.get((function, name)) or self._roots.get(("", name)) or set()

    def read_in(self, definition: Definition) -> Iterator[Key]:
        """Scratch arrays whose elements a function uses other than as the target of a store."""
        stored, inner = set(), set()
        for node in self._syntax.walk_with_macros(definition.body):
            if node.type == "assignment_expression":
                left = node.child_by_field_name("left")
                sign = node.child_by_field_name("operator")
                if left is not None and sign is not None and sign.type == "=":
                    stored.add(left.id)
            elif node.type in ("subscript_expression", "pointer_expression") and node.id not in stored:
                argument = node.child_by_field_name("argument")
                if argument is not None:
                    inner.add(argument.id)  # of the same variable
                if node.id not in inner and (name := base(node)):
                    yield from self.roots(definition.name, name)
            elif node.type == "call_expression":
                yield from self._read_by_intrinsic(definition, node)

    def _read_by_intrinsic(self, definition: Definition, call: Node) -> Iterator[Key]:
        function, given = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        if function is None or given is None or identifier(function) in self._syntax.definitions:
            return
        arguments = given.named_children
        called = identifier(function)
        writes = called in _COPIES or _VECTOR_STORE.match(called) or "set" in called
        foreign = called in _ALLOCATORS or called == "free" or "prefetch" in called
        for argument in arguments[1:] if writes else arguments:
            if not foreign and (name := base(argument)):
                yield from self.roots(definition.name, name)

    def _scratch_name(self, node: Node) -> str | None:
        """The variable that a node makes scratch memory."""
        if node.type in ("init_declarator", "assignment_expression"):
            name, value = assigned(node)
            if name and value is not None and self._allocates(value):
                return name
        if node.type == "array_declarator" and node.id not in self._no_arrays:
            return declared(node) if self._elements(node) >= LEAST_PANEL else None
        if node.type == "call_expression":
            function, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
            if function is not None and given is not None and identifier(function) == "posix_memalign":
                return base(given.named_children[0]) if given.named_children else None
        return None

    def _allocates(self, value: Node) -> bool:
        calls = (node for node in self._syntax.walk(value) if node.type == "call_expression")
        functions = (call.child_by_field_name("function") for call in calls)
        return any(function is not None and identifier(function) in _ALLOCATORS for function in functions)

    def _elements(self, array: Node) -> int:
        """Elements of an array declarator; many where the size is not known."""
        count, at = 1, array
        while at.type == "array_declarator":
            size, inner = at.child_by_field_name("size"), at.child_by_field_name("declarator")
            value = self._syntax.constants.value(text(size)) if size is not None else None
            count = min(count * (LEAST_PANEL if value is None else value), 1 << 40)
            if inner is None:
                break
            at = inner
        return count

    def _edges(self) -> Iterator[tuple[Key, Key]]:
        """(from, to) for every pointer that is set from another one, or handed to a function or a macro.

        A macro's replacement stands in the function that uses it, and so do its parameters.
        """
        callees: dict[str, dict[tuple[str, ...], None]] = {}
        for definition in self._live:
            callees.setdefault(definition.name, {})[definition.parameters] = None
        for definition in self._live:
            for node in self._syntax.walk_with_macros(definition.body):
                if node.type in ("init_declarator", "assignment_expression"):
                    name, value = assigned(node)
                    if name and value is not None and (source := _pointer(value)):
                        yield (definition.name, source), (definition.name, name)
                elif node.type == "call_expression":
                    function, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
                    if function is None or given is None:
                        continue
                    name = identifier(function)
                    lists = [(name, parameters) for parameters in callees.get(name, ())]
                    lists += [(definition.name, self._syntax.parameters.get(name, ()))]
                    for place, parameters in lists:
                        for parameter, argument in zip(parameters, given.named_children, strict=False):
                            if source := _pointer(argument):
                                yield (definition.name, source), (place, parameter)


def _pointer(value: Node) -> str | None:
    """The variable that a pointer expression such as ``buf + off``, ``&buf[i]`` or ``(double *)buf`` starts from."""
    if value.type in ("subscript_expression", "number_literal", "call_expression"):
        return base(value) if value.type == "subscript_expression" else None
    if value.type == "conditional_expression":
        value = value.child_by_field_name("consequence") or value
    return base(value)


def _copied_into(node: Node) -> str | None:
    """The variable whose elements a statement overwrites with elements of another one."""
    if node.type == "assignment_expression":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        sign = node.child_by_field_name("operator")
        if left is None or right is None or sign is None or sign.type != "=":
            return None
        if left.type not in ("subscript_expression", "pointer_expression"):
            return None
        target = base(left)
        return target if identifiers(right) - {target} else None
    if node.type != "call_expression":
        return None
    function, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or given is None or len(given.named_children) < 2:
        return None
    copies = identifier(function) in _COPIES or _VECTOR_STORE.match(identifier(function))
    return base(given.named_children[0]) if copies else None
