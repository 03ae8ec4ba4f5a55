"""The syntax tree of a kernel: its functions, which of them are live, and the statements in them, by tree-sitter."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import tree_sitter
import tree_sitter_c
from tree_sitter import Node

from qdkernel.evaluators.source.constants import Constants
from qdkernel.evaluators.source.tokens import Token, directive, is_function_like, spaced, tokenize_c

_LANGUAGE = tree_sitter.Language(tree_sitter_c.language())
LOOPS = frozenset({"for_statement", "while_statement", "do_statement"})
"""Node types of loops."""


_MAX_WALKS = 512  # walks remembered; kernels need about a hundred, and a nest of thousands of loops no memory
# The parser reports every hundred steps: once per 110 bytes of a usual kernel, 27 of the densest text that is right.
_PARSER_CALLS, _BYTES_PER_CALL = 300, 20
_PARSER_S = 2.0  # of processor time; the longest kernel takes a hundredth
_MAX_NODES = 300_000  # walked over in one tree: a third of a second; the largest kernels need a fiftieth
_MAX_EXPRESSION = 128  # nodes; bounds the work on expressions within expressions


@dataclass(frozen=True)
class Definition:
    """A function's definition: its name, parameters in order, and body."""

    name: str
    parameters: tuple[str, ...]
    body: Node


@dataclass(frozen=True)
class Syntax:
    """A parsed kernel.

    Attributes:
        root: of the tree.
        macros: name -> replacement text of every macro.
        plain: names of the macros without parameters.
        parameters: name -> parameters in order, of every macro that has some.
    """

    root: Node
    macros: Mapping[str, str]
    plain: frozenset[str]
    parameters: Mapping[str, tuple[str, ...]]

    @cached_property
    def constants(self) -> Constants:
        """What the source's names are worth as integers."""
        meanings = {name: [self.macros[name]] for name in self.plain}
        for node in self.walk(self.root):
            if node.type in ("init_declarator", "assignment_expression", "enumerator"):
                target, value = assigned(node)
                if target and value is not None:
                    meanings.setdefault(target, []).append(text(value))
        return Constants(meanings)

    @cached_property
    def _macro_constants(self) -> Constants:
        return Constants({name: [self.macros[name]] for name in self.plain})

    @cached_property
    def definitions(self) -> Mapping[str, Sequence[Definition]]:
        """Every function by name; several where the preprocessor chooses."""
        found: dict[str, list[Definition]] = {}
        for node in self.walk(self.root, into_functions=False):
            if node.type == "function_definition" and (definition := _definition(node)):
                found.setdefault(definition.name, []).append(definition)
        return found

    def live(self, entry: str) -> list[Definition]:
        """The definitions that ``entry`` reaches by naming them, itself first."""
        seen, pending, found = {entry}, [entry], []
        while pending:
            for definition in self.definitions.get(pending.pop(), ()):
                found.append(definition)
                for name in self._named(definition.body):
                    if name in self.definitions and name not in seen:
                        seen.add(name)
                        pending.append(name)
        return found

    def _named(self, body: Node) -> Iterator[str]:
        """Identifiers in a body and in the macros it uses."""
        seen: set[str] = set()
        pending = [text(node) for node in self.walk(body) if node.type == "identifier"]
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            yield name
            if name in self.macros:
                pending.extend(token.text for token in tokenize_c(self.macros[name]).all)

    def walk(self, node: Node, *, into_functions: bool = True) -> Sequence[Node]:
        """The node and all below it in the order of the text, without comments and branches that are never taken.

        Nothing more comes after 300,000 nodes of one tree, in which expressions nest by the thousand.
        """
        key = node.id, into_functions
        nodes = self._walks.get(key)
        if nodes is None:
            nodes = tuple(itertools.islice(self._walk(node, into_functions), max(0, self._nodes_left[0])))
            self._nodes_left[0] -= len(nodes) + 1
            if len(self._walks) < _MAX_WALKS:
                self._walks[key] = nodes
        return nodes

    def walk_with_macros(self, node: Node) -> Sequence[Node]:
        """As ``walk``, and then the statements in the replacements of the macros that are used there, each once.

        A macro's own parameters stand in them as they are named in its definition.
        """
        found = list(self.walk(node))
        seen: set[str] = set()
        for at in found:  # grows while it is walked over
            name = text(at) if at.type == "identifier" else ""
            if name in self.macros and name not in seen:
                seen.add(name)
                found.extend(self.walk(self._macro_tree(name)))
        return found

    def _macro_tree(self, name: str) -> Node:
        if name not in self._macro_trees:
            self._macro_trees[name] = _tree(f"void f(void) {{ {self.macros[name]}; }}\n".encode("utf-8", "replace"))
        return self._macro_trees[name]

    @cached_property
    def _macro_trees(self) -> dict[str, Node]:
        return {}

    @cached_property
    def _nodes_left(self) -> list[int]:
        return [_MAX_NODES]

    @cached_property
    def _walks(self) -> dict[tuple[int, bool], Sequence[Node]]:
        return {}  # the same loops and bodies are walked many times, and every step is a call into the parser

    def _walk(self, node: Node, into_functions: bool) -> Iterator[Node]:
        stack = [node]
        while stack:
            at = stack.pop()
            yield at
            kind = at.type
            if kind == "function_definition" and not into_functions:
                continue
            dead = self._dead_branch(at) if kind == "if_statement" else None
            stack.extend(child for child in reversed(at.named_children) if child != dead)

    def _dead_branch(self, condition: Node) -> Node | None:
        """The part of an ``if`` that is never taken; none where the condition has no value."""
        truth = self._truth(condition.child_by_field_name("condition"))
        if truth is None:
            return None
        return condition.child_by_field_name("alternative" if truth else "consequence")

    def _truth(self, condition: Node | None) -> int | None:
        return None if condition is None else self._macro_constants.value(text(condition))


def parse(source: str) -> Syntax:
    """The tree of a C text; damaged text has a damaged tree, never an error.

    The tree is built from the tokens, so comments, blanks and continued lines cannot move anything. What the
    preprocessor surely drops (``#if 0``, ``#ifdef`` of a name that neither the source nor the compiler defines) is
    gone. Text on which the parser goes astray for long has an empty tree.
    """
    macros: dict[str, str] = {}
    plain: set[str] = set()
    parameters: dict[str, tuple[str, ...]] = {}
    texts = []
    for line in _live_lines(tokenize_c(source).lines):
        if directive(line) == "define" and len(line) > 2:
            name, rest = line[2], line[3:]
            if is_function_like(line):
                closing = next((i for i, token in enumerate(rest) if token.text == ")"), len(rest))
                parameters[name.text] = tuple(token.text for token in rest[1:closing] if token.text != ",")
                rest = rest[closing + 1 :]
            else:
                plain.add(name.text)
            macros[name.text] = spaced(rest)
        texts.append(spaced(line))
    root = _tree("\n".join(texts).encode("utf-8", "replace") + b"\n")
    return Syntax(root, macros, frozenset(plain), parameters)


def tree_of(source: str) -> Node:
    """The root of the tree of a C text as it stands, whose nodes have the positions of its UTF-8 bytes."""
    return _tree(source.encode("utf-8", "replace"))


def _tree(code: bytes) -> Node:
    """The root of the code's tree; of an empty one where the parser does not come to an end.

    Its recovery from errors takes quadratic time: 5 s for 64 KiB of ``[[a``, a minute for ``[[a]]``.
    """
    calls, began_s = 0, time.thread_time()

    def too_long(offset: int, has_error: bool) -> bool:
        nonlocal calls
        calls += 1
        spent_s = time.thread_time() - began_s
        return calls > _PARSER_CALLS + len(code) // _BYTES_PER_CALL or spent_s > _PARSER_S

    parser = tree_sitter.Parser(_LANGUAGE)
    try:
        return parser.parse(lambda offset, point: code[offset : offset + 1024], progress_callback=too_long).root_node
    except ValueError:  # the parser was stopped
        return tree_sitter.Parser(_LANGUAGE).parse(b"").root_node


def _live_lines(lines: Sequence[tuple[Token, ...]]) -> Iterator[tuple[Token, ...]]:
    """The lines that the preprocessor may keep, without its conditions."""
    defined = {line[2].text for line in lines if directive(line) == "define" and len(line) > 2}
    branches: list[bool | None] = []  # per open condition, its present branch: taken, not taken, or not known
    dropped = 0  # branches that are not taken
    for line in lines:
        name = directive(line)
        if name in ("if", "ifdef", "ifndef"):
            branches.append(_condition(name, [token.text for token in line[2:]], defined))
            dropped += branches[-1] is False
        elif name in ("else", "elif", "endif") and branches:
            before = branches.pop()
            dropped -= before is False
            if name != "endif":
                # After a branch that is taken nothing is; an #elif after one that is not may be.
                branches.append(False if before else (None if before is None or name == "elif" else True))
                dropped += branches[-1] is False
        elif not dropped:
            yield line


def _condition(name: str, words: Sequence[str], defined: set[str]) -> bool | None:
    if name == "if":
        return {"0": False, "1": True}.get(words[0]) if len(words) == 1 else None
    if len(words) == 1 and not words[0].startswith("_") and words[0] not in defined:
        return name == "ifndef"
    return None


def _definition(node: Node) -> Definition | None:
    at, body = node.child_by_field_name("declarator"), node.child_by_field_name("body")
    while at is not None and at.type != "function_declarator":
        at = at.child_by_field_name("declarator")
    if at is None or body is None:
        return None
    listed = at.child_by_field_name("parameters")
    parameters = [declared(child) or "" for child in listed.named_children] if listed else []
    name = declared(at)
    return Definition(name, tuple(parameters), body) if name else None


def text(node: Node) -> str:
    """The node's text."""
    return (node.text or b"").decode("utf-8", "replace")


def identifier(node: Node) -> str:
    """The identifier that an expression is; empty for any other, whose text may be as long as the source."""
    return text(node) if node.type == "identifier" else ""


def declared(node: Node | None) -> str | None:
    """The name that a declarator, parameter or declaration gives a meaning to."""
    for _ in range(64):  # declarators nest; more than this is no one's
        if node is None:
            return None
        if node.type in ("identifier", "type_identifier", "field_identifier"):
            return text(node)
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type in ("parenthesized_declarator", "attributed_declarator"):
            inner = next((child for child in node.named_children), None)
        node = inner
    return None


def assigned(node: Node) -> tuple[str | None, Node | None]:
    """Target name and value of an initialiser, an ``=`` assignment to a plain name, or an enumerator."""
    if node.type == "init_declarator":
        return declared(node), node.child_by_field_name("value")
    if node.type == "enumerator":
        name = node.child_by_field_name("name")
        return (text(name) if name else None), node.child_by_field_name("value")
    left, sign = node.child_by_field_name("left"), node.child_by_field_name("operator")
    if left is not None and left.type == "identifier" and sign is not None and sign.type == "=":
        return text(left), node.child_by_field_name("right")
    return None, None


def identifiers(node: Node | None) -> set[str]:
    """The identifiers in an expression; of one with more than 128 nodes, which no loop bound has, only some."""
    found: set[str] = set()
    stack = [node] if node is not None else []
    for _ in range(_MAX_EXPRESSION):
        if not stack:
            break
        at = stack.pop()
        if at.type == "identifier":
            found.add(text(at))
        stack.extend(at.named_children)
    return found


def base(node: Node | None) -> str | None:
    """The variable whose memory an expression such as ``p[i][j]``, ``*(v *)(p + i)`` or ``*p++`` names."""
    for _ in range(32):  # deeper than any kernel, and bounds the work on thousands of nested expressions
        if node is None:
            return None
        if node.type == "identifier":
            return text(node)
        field = next((name for name in ("argument", "value", "left") if node.child_by_field_name(name)), None)
        if field is not None:
            node = node.child_by_field_name(field)
        else:
            node = next((child for child in node.named_children), None)
    return None
