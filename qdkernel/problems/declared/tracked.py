"""A plain C reference rewritten to compute with numbers that carry their magnitude (see ``tracked.c``).

The reference is ordinary C: loops, conditions, arithmetic, local arrays, ``malloc``, static functions and the functions
of ``<math.h>`` that have a magnitude. Before and after::

    void ddot(int n, const double *x, const double *y, double *result)
    {                                                     void ddot(int n, const double *x, const double *y,
        double sum = 0;                                             qd_real *result)
        for (int i = 0; i < n; i++)                       {
            sum += x[i] * y[i];                               qd_real sum = qd_exact(0);
        *result = sum;                                        for (int i = 0; i < n; i++)
    }                                                             qd_add_to(&sum, qd_mul(qd_exact(x[i]), ...));
                                                              *result = sum;
                                                          }

Arrays behind pointers to ``const`` stay as they are and are widened where they are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pycparser import c_ast, c_generator, c_parser

from qdkernel.errors import ConfigError

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<(?:math|stddef|stdint|stdlib|string)\.h>[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TYPEDEFS = (
    "typedef long int64_t; typedef int int32_t; typedef signed char int8_t; typedef unsigned long size_t; "
    "typedef long ptrdiff_t; typedef unsigned long uint64_t; typedef unsigned uint32_t; typedef unsigned char uint8_t;"
)
_NUM_TYPEDEFS = _TYPEDEFS.count("typedef")
_ARITHMETIC = {"+": "qd_add", "-": "qd_sub", "*": "qd_mul", "/": "qd_div"}
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_MATHS = {name: f"qd_{name}" for name in ("sqrt", "fabs", "exp", "log", "tanh", "sin", "cos", "fmax", "fmin")}
_MATHS |= {f"{name}f": new for name, new in _MATHS.items()}

Node = Any  # Any: pycparser has no types


@dataclass(frozen=True)
class _Type:
    """``base`` is tracked, plain (a float or double behind a pointer to const) or other; ``levels`` its pointers."""

    base: str
    levels: int

    @property
    def is_number(self) -> bool:
        return self.base != "other" and self.levels == 0


_OTHER = _Type("other", 0)
_TRACKED = _Type("tracked", 0)


@dataclass(frozen=True)
class TrackedSource:
    """A reference rewritten.

    Attributes:
        text: C that needs ``tracked.c`` before it.
        nest_depth: loops in its deepest nest.
    """

    text: str
    nest_depth: int


def track(source: str, file: str) -> TrackedSource:
    """The reference ``source`` over tracked numbers.

    Args:
        source: C text.
        file: its name, for messages.

    Raises:
        ConfigError: it has something beyond plain C; the message names the line.
    """
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n") or " ", source)
    text = _INCLUDE.sub("", text)
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            raise ConfigError(
                f"{file}:{number}: a reference is plain C with <math.h>, <stddef.h>, <stdint.h>, <stdlib.h> or "
                f"<string.h> and no other directives; got {line.strip()[:60]!r}"
            )
    try:
        tree = c_parser.CParser().parse(f"{_TYPEDEFS}{text}", file)
    except Exception as error:  # its parse error is not the same class in all versions
        raise ConfigError(f"{file}: expected plain C, {error}") from None
    rewriting = _Rewriting(file)
    tree.ext = tree.ext[_NUM_TYPEDEFS:]
    for item in tree.ext:
        rewriting.top(item)
    return TrackedSource(c_generator.CGenerator().visit(tree), max(1, rewriting.deepest))


class _Rewriting:
    """Changes a syntax tree in place, scope by scope."""

    def __init__(self, file: str) -> None:
        self.deepest = 0
        self._file = file
        self._depth = 0
        self._scopes: list[dict[str, _Type]] = [{}]
        self._functions: dict[str, tuple[_Type, list[_Type]]] = {}
        self._returns = _OTHER

    def top(self, item: Node) -> None:
        if isinstance(item, c_ast.FuncDef):
            self._function(item)
        elif isinstance(item, c_ast.Decl):
            self._declare(item)
        else:
            raise self._unsupported(item)

    def _function(self, item: Node) -> None:
        declared = item.decl.type
        given = [] if declared.args is None else declared.args.params
        self._scopes.append({})
        parameters = [self._declare(each) for each in given if isinstance(each, c_ast.Decl)]
        self._returns = self._change_type(declared.type)
        self._functions[item.decl.name] = self._returns, parameters
        self._statement(item.body)
        self._scopes.pop()

    def _declare(self, decl: Node) -> _Type:
        if isinstance(decl.type, c_ast.FuncDecl):
            raise self._unsupported(decl, "define static functions before they are called")
        found = self._change_type(decl.type)
        self._scopes[-1][decl.name] = found
        if isinstance(decl.init, c_ast.InitList):
            if found.base == "tracked" and any(
                not isinstance(each, c_ast.Constant) or each.value.strip("0.") for each in decl.init.exprs
            ):
                raise self._unsupported(decl, "assign the elements one by one, or make the array const")
        elif decl.init is not None:
            decl.init = self._as(found, decl.init)
        return found

    def _change_type(self, node: Node) -> _Type:
        """The type of a declarator; ``float`` and ``double`` in it become ``qd_real`` unless behind a const pointer."""
        levels = 0
        while isinstance(node, (c_ast.PtrDecl, c_ast.ArrayDecl)):
            if isinstance(node, c_ast.ArrayDecl) and node.dim is not None:
                node.dim, _ = self._expression(node.dim)
            levels, node = levels + 1, node.type
        if not isinstance(node, c_ast.TypeDecl) or not isinstance(node.type, c_ast.IdentifierType):
            raise self._unsupported(node, "use numbers, arrays and pointers to them")
        if not {"float", "double"} & set(node.type.names):
            return _Type("other", levels)
        if levels and "const" in node.quals:
            return _Type("plain", levels)
        node.type.names = ["qd_real"]
        return _Type("tracked", levels)

    def _statement(self, node: Node) -> None:
        match node:
            case c_ast.Compound():
                self._scopes.append({})
                for i, item in enumerate(node.block_items or []):
                    if isinstance(item, (c_ast.Decl, c_ast.DeclList)):
                        self._declaration(item)
                    else:
                        node.block_items[i] = self._effect(item)
                self._scopes.pop()
            case c_ast.For():
                self._scopes.append({})
                if isinstance(node.init, (c_ast.Decl, c_ast.DeclList)):
                    self._declaration(node.init)
                elif node.init is not None:
                    node.init = self._effect(node.init)
                node.cond = None if node.cond is None else self._test(node.cond)
                node.next = None if node.next is None else self._effect(node.next)
                self._loop(node)
                self._scopes.pop()
            case c_ast.While() | c_ast.DoWhile():
                node.cond = self._test(node.cond)
                self._loop(node)
            case c_ast.If():
                node.cond = self._test(node.cond)
                node.iftrue = self._effect(node.iftrue)
                node.iffalse = None if node.iffalse is None else self._effect(node.iffalse)
            case c_ast.Return():
                node.expr = None if node.expr is None else self._as(self._returns, node.expr)
            case c_ast.Break() | c_ast.Continue() | c_ast.EmptyStatement():
                pass
            case _:
                raise self._unsupported(node)

    def _loop(self, node: Node) -> None:
        self._depth += 1
        self.deepest = max(self.deepest, self._depth)
        node.stmt = self._effect(node.stmt)
        self._depth -= 1

    def _declaration(self, node: Node) -> None:
        for decl in node.decls if isinstance(node, c_ast.DeclList) else [node]:
            self._declare(decl)

    def _effect(self, node: Node) -> Node:
        """A statement or an expression whose value is not used."""
        match node:
            case c_ast.Assignment():
                return self._assignment(node)
            case c_ast.FuncCall() | c_ast.UnaryOp() | c_ast.Cast():
                return self._expression(node)[0]
            case c_ast.ExprList():
                node.exprs = [self._effect(each) for each in node.exprs]
                return node
        self._statement(node)
        return node

    def _assignment(self, node: Node) -> Node:
        node.lvalue, kind = self._expression(node.lvalue, stored=True)
        if node.op == "=":
            node.rvalue = self._as(kind, node.rvalue)
            return node
        if not kind.is_number:
            node.rvalue, other = self._expression(node.rvalue)
            if other.is_number:
                raise self._unsupported(node, "convert to an integer with a cast first")
            return node
        name = _ARITHMETIC.get(node.op[:-1])
        if name is None:
            raise self._unsupported(node)
        return _call(f"{name}_to", c_ast.UnaryOp("&", node.lvalue), self._as(_TRACKED, node.rvalue))

    def _as(self, kind: _Type, node: Node) -> Node:
        """An expression converted to the type of where it goes."""
        new, found = self._expression(node)
        if kind.is_number and not found.is_number:
            return _call("qd_exact", new)
        if not kind.is_number and kind.levels == 0 and found.is_number:
            return c_ast.StructRef(new, ".", c_ast.ID("v"))
        return new

    def _test(self, node: Node) -> Node:
        return self._as(_OTHER, node)

    def _expression(self, node: Node, stored: bool = False) -> tuple[Node, _Type]:
        """The expression rewritten, and its type; a plain number that is read, not stored to, is widened."""
        new, kind = self._unwidened(node)
        if kind == _Type("plain", 0) and not stored:
            return _call("qd_exact", new), _TRACKED
        return new, kind

    def _unwidened(self, node: Node) -> tuple[Node, _Type]:
        match node:
            case c_ast.Constant():
                if node.type in ("float", "double"):
                    return _call("qd_exact", c_ast.Constant(node.type, node.value)), _TRACKED
                return node, _OTHER
            case c_ast.ID():
                return node, self._lookup(node.name)
            case c_ast.ArrayRef():
                node.name, kind = self._expression(node.name)
                node.subscript = self._test(node.subscript)
                return node, _Type(kind.base, kind.levels - 1)
            case c_ast.UnaryOp():
                return self._unary(node)
            case c_ast.BinaryOp():
                return self._binary(node)
            case c_ast.TernaryOp():
                node.cond = self._test(node.cond)
                node.iftrue, kind = self._expression(node.iftrue)
                node.iffalse, other = self._expression(node.iffalse)
                if kind.is_number != other.is_number:
                    node.iftrue = node.iftrue if kind.is_number else _call("qd_exact", node.iftrue)
                    node.iffalse = node.iffalse if other.is_number else _call("qd_exact", node.iffalse)
                    kind = _TRACKED
                return node, kind
            case c_ast.FuncCall():
                return self._called(node)
            case c_ast.Cast():
                kind = self._change_type(node.to_type.type)
                new = self._as(kind, node.expr)
                if kind.is_number:
                    return new, kind
                node.expr = new
                return node, kind
            case c_ast.Typename():
                self._change_type(node.type)
                return node, _OTHER
        raise self._unsupported(node)

    def _unary(self, node: Node) -> tuple[Node, _Type]:
        if node.op == "sizeof":
            node.expr, _ = self._expression(node.expr, stored=True)
            return node, _OTHER
        node.expr, kind = self._expression(node.expr, stored=node.op == "&")
        if node.op == "*":
            return node, _Type(kind.base, kind.levels - 1)
        if node.op == "&":
            return node, _Type(kind.base, kind.levels + 1)
        if not kind.is_number:
            return node, kind
        if node.op in ("-", "+"):
            return (_call("qd_neg", node.expr) if node.op == "-" else node.expr), _TRACKED
        if node.op == "!":
            return c_ast.UnaryOp("!", c_ast.StructRef(node.expr, ".", c_ast.ID("v"))), _OTHER
        raise self._unsupported(node)

    def _binary(self, node: Node) -> tuple[Node, _Type]:
        left, kind = self._expression(node.left)
        right, other = self._expression(node.right)
        if not kind.is_number and not other.is_number:
            node.left, node.right = left, right
            return node, other if other.levels > kind.levels else kind
        if node.op in _ARITHMETIC:
            sides = [side if k.is_number else _call("qd_exact", side) for side, k in ((left, kind), (right, other))]
            return _call(_ARITHMETIC[node.op], *sides), _TRACKED
        if node.op in (*_COMPARISONS, "&&", "||"):
            values = [
                c_ast.StructRef(side, ".", c_ast.ID("v")) if k.is_number else side
                for side, k in ((left, kind), (right, other))
            ]
            return c_ast.BinaryOp(node.op, *values), _OTHER
        raise self._unsupported(node)

    def _called(self, node: Node) -> tuple[Node, _Type]:
        given = [] if node.args is None else node.args.exprs
        name = node.name.name if isinstance(node.name, c_ast.ID) else ""
        if name in _MATHS:
            return _call(_MATHS[name], *(self._as(_TRACKED, each) for each in given)), _TRACKED
        if name in self._functions:
            returned, parameters = self._functions[name]
            if len(parameters) != len(given):
                raise self._unsupported(node, f"{name} takes {len(parameters)} arguments")
            given = [self._as(kind, each) for kind, each in zip(parameters, given, strict=True)]
            return _call(name, *given), returned
        if name not in ("malloc", "calloc", "free", "memcpy", "memset", "abs"):
            raise self._unsupported(
                node, f"call static functions of the same file, malloc, free, or {', '.join(sorted(_MATHS))}"
            )
        return _call(name, *(self._expression(each)[0] for each in given)), _OTHER

    def _lookup(self, name: str) -> _Type:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), _OTHER)

    def _unsupported(self, node: Node, advice: str = "write it with loops, assignments and arithmetic") -> ConfigError:
        line = f":{node.coord.line}" if getattr(node, "coord", None) else ""
        return ConfigError(f"{self._file}{line}: a reference cannot have {type(node).__name__} here; {advice}")


def _call(name: str, *arguments: Node) -> Node:
    return c_ast.FuncCall(c_ast.ID(name), c_ast.ExprList(list(arguments)))
