"""The declaration of a problem, ``problem.yaml`` in a folder of its own, as a strict model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from qdkernel.errors import ConfigError, unknown
from qdkernel.problems.families import FAMILIES
from qdkernel.strict_yaml import Document, EntryPath, parse_yaml

FILE = "problem.yaml"
_MAX_BYTES = 1 << 18  # by thought: a declaration is a page; more is the wrong file
_FAMILIES = ("uniform", "integers", "graded", "impulse")

Expression = Annotated[str, Field(min_length=1)] | int | float
Word = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
FileName = Annotated[str, Field(pattern=r"^[\w.-]+\.c$")]
ReferenceName = Annotated[str, Field(pattern=r"^[\w.-]+\.(c|py)$")]


class _Entry(BaseModel):
    """A mapping of a declaration: no other keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SizeEntry(_Entry):
    """One scalar that makes up a size."""

    scored: int | list[int] | Literal["beyond-cache"] = Field(
        description="Scored extents; beyond-cache for the least one with which all arrays together do not fit into "
        "four times the last-level cache."
    )
    least: int = Field(default=0, ge=0, description="The smallest extent that a kernel must be right for.")
    values: list[int] = Field(
        default=[], description="The only extents a kernel must be right for, e.g. powers of two; all by default."
    )
    number: Expression = Field(
        default="size", description="The extent meant by a single number `size`, e.g. log2(size); the number itself."
    )


class ArrayEntry(_Entry):
    """One array argument. Formulas of elements may use the scalars, the indices i, j, k, l and the value drawn, x."""

    shape: list[Expression] = Field(max_length=4, description="Extents, outermost first; [] for a single value.")
    strides: list[Word | None] = Field(
        default=[], description="Per dimension the scalar that holds its stride, or null; [] when contiguous."
    )
    ascending: bool = Field(default=False, description="Strides of a vector are positive; false for either sign.")
    role: Literal["in", "out", "inout"] | None = Field(
        default=None, description="Who touches it; by default in for a pointer to const, otherwise out."
    )
    range: list[float] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="Bounds of the values drawn; (-1, 1), or -1024 to 1024 for integers.",
    )
    values: Expression | None = Field(default=None, description="What an element holds, e.g. x + n * (i == j).")
    unread: Expression | None = Field(default=None, description="Where an element is not read; holds NaN there.")
    free: Expression | None = Field(default=None, description="Where an element may hold anything after the call.")
    index: Expression | None = Field(default=None, description="Values are positions: 0 to this, exclusive.")
    offsets: Expression | None = Field(default=None, description="Values ascend from 0 to exactly this.")


class Baseline(_Entry):
    """What kernels are measured against; one of the two."""

    library: str | None = Field(default=None, description="A C statement that calls a routine of the CBLAS.")
    kernel: FileName | None = Field(default=None, description="A C file that defines the function.")


class Declaration(_Entry):
    """What is computed, and by what sizes it is judged and timed. Everything else is derived from it."""

    name: Word = Field(description="The function's name and the problem's.")
    summary: Annotated[str, Field(min_length=1)] = Field(description="One sentence.")
    prototype: Annotated[str, Field(min_length=1)] = Field(description="The C declaration of the function.")
    single: Word | None = Field(
        default=None, description="Name of the same problem in single precision: its C has float for double."
    )
    sizes: Annotated[dict[Word, SizeEntry], Field(min_length=1)] = Field(description="The scalars of a size.")
    scalars: dict[Word, list[int | float] | Expression] = Field(
        default={},
        description="Other scalars: the values to be right for, the first of which is scored; or a formula. Those "
        "that hold strides are derived and not listed.",
    )
    arrays: Annotated[dict[Word, ArrayEntry], Field(min_length=1)] = Field(description="The array arguments.")
    families: list[str] = Field(default=list(_FAMILIES), description=f"Input families: {', '.join(FAMILIES)}.")
    terms: Expression = Field(
        default=1,
        description="How many values one result sums at most; beyond 64 the error allowed grows by the square root.",
    )
    error_limit: float = Field(default=16.0, gt=0, description="Largest error in units of eps * magnitude.")
    flops: Expression = Field(description="Operations of a call by the field's convention.")
    bytes: Expression | None = Field(
        default=None,
        description="Bytes a call streams, with itemsize for those of a number; by default each array once, twice "
        "where read and written.",
    )
    reference: ReferenceName | None = Field(
        default=None, description="C file of the definition, or Python file with a numpy function; the first seed's."
    )
    seeds: list[FileName] = Field(default=[], description="Seed kernels; NAME_naive.c by default.")
    baseline: Baseline | None = Field(default=None, description="By default the first seed.")
    contract: str = Field(default="", description="What honest kernels fail on first, as a sentence.")


def load_declaration(folder: Path) -> Declaration:
    """The declaration in a folder.

    Raises:
        ConfigError: there is none, or it does not fit; one line per mistake, each with the file and its line.
    """
    file = folder / FILE
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{file}: expected a declaration of at most {_MAX_BYTES} bytes; is it the right file?")
        document = parse_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: expected a problem's declaration, {error}; see `qdkernel problem init`") from None
    if document.faults:
        raise ConfigError("\n".join(f"{file}:{fault.line}: {fault.text}" for fault in document.faults))
    try:
        return Declaration.model_validate(document.value)
    except ValidationError as error:
        lines = [_told(file, document, each) for each in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None


def _told(file: Path, document: Document, error: ErrorDetails) -> str:
    """One line on one mistake; the names of union arms that pydantic weaves into its place are left out."""
    path = _place(document.value, error["loc"])
    line = next(document.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in document.lines)
    where = f"{file}:{line}: {'.'.join(map(str, path)) or 'the file'}"
    if error["type"] == "extra_forbidden":
        return f"{where}: {unknown('key', str(error['loc'][-1]), _keys(error['loc']))}"
    if error["type"] == "missing":
        return f"{where}: expected the key {str(error['loc'][-1])!r}, which is missing; add it"
    return f"{where}: {error['msg']}, got {str(error['input'])[:60]!r}"


def _place(value: Any, loc: tuple[int | str, ...]) -> EntryPath:  # Any: a plain YAML value
    path: list[int | str] = []
    for part in loc:
        inside = (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int))
        if not inside:
            continue
        value = value[part]
        path.append(part)
    return tuple(path)


def _keys(loc: tuple[int | str, ...]) -> list[str]:
    entries: dict[str, type[BaseModel]] = {"sizes": SizeEntry, "arrays": ArrayEntry, "baseline": Baseline}
    return list((entries[str(loc[0])] if len(loc) > 1 else Declaration).model_fields)
