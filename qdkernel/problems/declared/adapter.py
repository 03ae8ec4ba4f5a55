"""The adapter through which a library's routine is called, derived from one C statement.

``*result = cblas_ddot(n, x, incx, y, incy)`` becomes::

    extern double QD_SYMBOL(int, const double *, int, const double *, int);

    void ddot(int n, const double *restrict x, int incx, const double *restrict y, int incy, double *restrict result)
    {
        *result = QD_SYMBOL(n, x, incx, y, incy);
    }

An argument that is a parameter has its type, any other is an int. The single-precision routine's name begins with s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from qdkernel.core.problem import Kind, Prototype
from qdkernel.errors import ConfigError

_CALL = re.compile(
    r"^\s*(?P<target>.*?=)?\s*cblas_(?P<index>i?)d(?P<name>\w+)\((?P<arguments>.*)\)\s*;?\s*$", re.DOTALL
)
_DOUBLES = re.compile(r"^-?\d+\.\d*$")


@dataclass(frozen=True)
class Adapter:
    """The C text, and the routine that it calls by default."""

    text: str
    routine: str


def adapter_source(call: str, prototype: Prototype, declaration: str) -> Adapter:
    """The adapter of a statement that calls a routine of the CBLAS for double precision.

    Raises:
        ConfigError: the statement is no such call.
    """
    match = _CALL.match(call)
    if match is None:
        raise ConfigError(
            f"baseline.library: expected a call such as cblas_daxpy(n, alpha, x, incx, y, incy), got {call[:80]!r}"
        )
    names = set(re.findall(r"[A-Za-z_]\w*", f"{match['target'] or ''} {match['arguments']}"))
    if foreign := sorted(names - {p.name for p in prototype.parameters}):
        raise ConfigError(f"baseline.library: expected parameters of the prototype as arguments, got {foreign[0]!r}")
    single = any(Kind.FLOAT32 in (p.kind, p.element) for p in prototype.parameters)
    number = "float" if single else "double"
    types = {p.name: p.c_type.replace(" restrict", "").replace("restrict", "") for p in prototype.parameters}
    arguments = _split(match["arguments"])
    listed = ", ".join(types.get(each, number if _DOUBLES.match(each) else "int") for each in arguments)
    returned = "void" if not match["target"] else "size_t" if match["index"] else number
    target = f"{match['target']} " if match["target"] else ""
    text = (
        "/* The baseline: a vendor BLAS with 32-bit integers, its routine named by QD_SYMBOL. */\n"
        "#include <stddef.h>\n\n"
        f"extern {returned} QD_SYMBOL({listed});\n\n{declaration.rstrip().rstrip(';')}\n"
        f"{{\n    {target}QD_SYMBOL({', '.join(arguments)});\n}}\n"
    )
    return Adapter(text, f"cblas_{match['index']}{'s' if single else 'd'}{match['name']}")


def _split(arguments: str) -> list[str]:
    """The arguments of a call, split at the commas outside parentheses."""
    parts, depth = [""], 0
    for character in arguments:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
