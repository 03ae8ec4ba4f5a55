"""From a declaration to a ``Problem``: everything that a page of YAML and a plain C reference leave open is derived."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qdkernel.core import (
    ArrayArgument,
    Arrays,
    Case,
    Expected,
    InputFamily,
    KernelBaseline,
    LibraryBaseline,
    Problem,
    Role,
    Scalar,
    Signature,
    check_prototype,
    parse_prototype,
)
from qdkernel.core.problem import Kind, Parameter
from qdkernel.errors import ConfigError, unknown
from qdkernel.problems.checks import comparison
from qdkernel.problems.declared.adapter import adapter_source
from qdkernel.problems.declared.contents import Contents
from qdkernel.problems.declared.declaration import Declaration, load_declaration
from qdkernel.problems.declared.formula import Formula
from qdkernel.problems.declared.numpy_reference import parse_numpy_reference
from qdkernel.problems.declared.reference import CReference, single_precision
from qdkernel.problems.declared.scalars import Calls
from qdkernel.problems.declared.tracked import track
from qdkernel.problems.families import FAMILIES
from qdkernel.problems.sizes import extent_beyond_cache

_MANY_TERMS = 64
"""Sums of more terms may err by more than ``error_limit``: rounding errors of independent signs grow by the square
root of their number (Higham & Mary 2019, SIAM J. Sci. Comput. 41), and 16 eps allow for 64 terms four times over."""

Program = Callable[[Case, Arrays, str], dict[str, Expected]]
"""A reference: the written arrays of a call, computed in a C type."""

ERROR_WORDS = "the sum of the magnitudes of its terms, carried through the reference"


def load_problems(folder: Path, trusted: bool = False) -> tuple[Problem, ...]:
    """The problem declared in a folder, and the same in single precision where the declaration names it.

    Args:
        folder: with ``problem.yaml`` and the C files that it names.
        trusted: the reference is the package's own, so it may run outside the contained child.

    Raises:
        ConfigError: the declaration or the reference does not fit; the message names file, line and entry.
    """
    declaration = load_declaration(folder)
    made = [_Assembly(declaration, folder, trusted, declaration.name, declaration.prototype, _read)]
    if declaration.single is not None:

        def read(file: Path) -> str:
            text = single_precision(_read(file))
            return re.sub(rf"\b{declaration.name}\b", declaration.single or "", text)

        prototype = re.sub(rf"\b{declaration.name}\b", declaration.single, single_precision(declaration.prototype))
        made.append(_Assembly(declaration, folder, trusted, declaration.single, prototype, read))
    return tuple(assembly.problem() for assembly in made)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: expected a C file that {file.parent.name}'s declaration names; {error}") from None


@dataclass(frozen=True)
class _Assembly:
    declaration: Declaration
    folder: Path
    trusted: bool
    name: str
    prototype: str
    read: Callable[[Path], str]

    def problem(self) -> Problem:
        declaration, signature, calls = self.declaration, self.signature, self.calls
        check_prototype(signature)
        self._check_names()
        seeds = declaration.seeds or [f"{declaration.name}_naive.c"]
        file = declaration.reference or seeds[0]
        # the nest is that of the plain C, the first seed's where the reference has none
        plain = self.folder / (seeds[0] if file.endswith(".py") else file)
        tracked = track(self.read(plain), str(plain))
        program: Program = CReference(signature, tracked.text, self.trusted)
        if file.endswith(".py"):
            path = self.folder / file
            program = parse_numpy_reference(_read(path), str(path), declaration.name, signature)
        texts = {self._file(seed): self.read(self.folder / seed) for seed in seeds}
        baseline = self._baseline(texts, self._file(seeds[0]))
        sketch, sketch_error = comparison(
            lambda case, arrays: self._judged(program, case, arrays, "double"),
            own_error=declaration.error_limit if signature.dtype.itemsize == 8 else 0.0,
        )
        return Problem(
            name=self.name,
            summary=declaration.summary,
            prototype=self.prototype,
            dtype=signature.dtype,
            arguments=signature.arguments,
            size_names=calls.size_names,
            size_from_int=calls.size_from_int,
            scored_case=calls.scored,
            verify_cases=calls.verified,
            families={name: self._family(name) for name in declaration.families},
            reference=lambda case, arrays: self._judged(
                program, case, arrays, "long double" if signature.dtype.itemsize == 8 else "double"
            ),
            sketch=sketch,
            sketch_error=sketch_error,
            flops=lambda case: self._count("flops", case),
            bytes=lambda case: self._bytes(case),
            least_bytes=lambda case: min(self._traffic(case), self._bytes(case)),
            folder=self.folder,
            seeds=tuple(map(self._file, seeds)),
            baseline=baseline,
            default_sizes=self._default_sizes,
            nest_depth=tracked.nest_depth,
            error_limit=declaration.error_limit,
            error_words=ERROR_WORDS,
            bandwidth_bound=any(entry.scored == "beyond-cache" for entry in declaration.sizes.values()),
            contract=declaration.contract,
            texts=texts,
            respell=calls.respelled,
        )

    @cached_property
    def signature(self) -> Signature:
        parsed = parse_prototype(self.prototype)
        elements = {p.element if p.kind is Kind.POINTER else p.kind for p in parsed.parameters}
        dtype = np.dtype(np.float32 if Kind.FLOAT32 in elements and Kind.FLOAT64 not in elements else np.float64)
        arguments = tuple(
            self._array(parameter) if parameter.kind is Kind.POINTER else Scalar(parameter.name)
            for parameter in parsed.parameters
        )
        return Signature(self.name, self.prototype, dtype, arguments)

    @cached_property
    def calls(self) -> Calls:
        elements = " + ".join(f"({' * '.join(f'({extent})' for extent in entry.shape) or 1})"
                              for entry in self.declaration.arrays.values())  # fmt: skip
        return Calls(
            self.declaration, self.signature.arrays, Formula(f"({self.declaration.flops}) + {elements}", "flops")
        )

    def _array(self, parameter: Parameter) -> ArrayArgument:
        entry = self.declaration.arrays.get(parameter.name)
        if entry is None or parameter.element is None:
            raise unknown("array in arrays", parameter.name, self.declaration.arrays)
        where = f"arrays.{parameter.name}"
        extents = [Formula(extent, f"{where}.shape") for extent in entry.shape]
        bound = None if entry.index is None else Formula(entry.index, f"{where}.index")
        role = entry.role or ("in" if parameter.readonly else "out")
        return ArrayArgument(
            name=parameter.name,
            role=Role(role),
            shape=lambda case: tuple(max(0, int(extent(case))) for extent in extents),
            strides=tuple(entry.strides),
            dtype=np.dtype(parameter.element.value),
            index_bound=None if bound is None else lambda case: int(bound(case)),
        )

    def _check_names(self) -> None:
        """Checks that counts are formulas, and that every scalar of the prototype gets a value and no other."""
        declaration = self.declaration
        for key in ("flops", "bytes", "terms"):
            Formula(getattr(declaration, key) or 0, key)
        scalars = {argument.name for argument in self.signature.arguments if isinstance(argument, Scalar)}
        given = [*declaration.sizes, *declaration.scalars, *self.calls.stride_names]
        for name in given:
            if name not in scalars:
                raise unknown(f"scalar in the prototype of {self.name}", name, scalars)
        if missing := sorted(scalars - set(given)):
            raise ConfigError(
                f"{self.folder}: no value for {missing[0]} of the prototype; list it under sizes (what makes up a "
                "size), under scalars (with the values to be right for), or in the strides of an array"
            )
        arrays = {argument.name for argument in self.signature.arrays}
        for name in declaration.arrays:
            if name not in arrays:
                raise unknown(f"array in the prototype of {self.name}", name, arrays)
        for family in declaration.families:
            if family not in FAMILIES:
                raise unknown("input family", family, FAMILIES)
        if "uniform" not in declaration.families:
            raise ConfigError(f"{self.folder}: expected uniform among families, as timed calls use it; add it")

    def _file(self, file: str) -> str:
        """The name under which a C file is known: in single precision that of the derived text."""
        return file.replace(self.declaration.name, self.name)

    def _baseline(self, texts: dict[str, str], naive: str) -> KernelBaseline | LibraryBaseline:
        given = self.declaration.baseline
        if given is None:
            return KernelBaseline(naive)
        if given.kernel is not None:
            texts[self._file(given.kernel)] = self.read(self.folder / given.kernel)
            return KernelBaseline(self._file(given.kernel))
        adapter = adapter_source(given.library or "", parse_prototype(self.prototype), self.prototype)
        texts[f"{self.name}_cblas.c"] = adapter.text
        return LibraryBaseline(adapter=f"{self.name}_cblas.c", symbol=f"scipy_{adapter.routine}")

    def _contents(self) -> dict[str, Contents]:
        signature, entries = self.signature, self.declaration.arrays
        return {a.name: Contents(a, entries[a.name], signature.dtype_of(a)) for a in signature.arrays}

    def _family(self, family: str) -> InputFamily:
        read = [argument.name for argument in self.signature.arrays if argument.is_read]
        contents = self._contents()
        return lambda case, rng: {name: contents[name](family, case, rng) for name in read}

    def _judged(self, program: Program, case: Case, arrays: Arrays, wide: str) -> dict[str, Expected]:
        """The reference's answer; long sums may err by more, and what the declaration frees is unspecified."""
        expected = program(case, arrays, wide)
        terms = self._terms(case)
        for name, contents in self._contents().items():
            if name in expected and terms > 1:
                expected[name] = replace(expected[name], magnitude=expected[name].magnitude * terms)
            if name in expected and contents.entry.free is not None:
                value, magnitude = expected[name].value, expected[name].magnitude
                free = np.broadcast_to(contents.elements("free", case, value.shape), value.shape)
                expected[name] = Expected(value, np.where(free, np.inf, magnitude))
        return expected

    def _terms(self, case: Case) -> float:
        return max(1.0, math.sqrt(Formula(self.declaration.terms, "terms")(case) / _MANY_TERMS))

    def _count(self, key: str, case: Case) -> float:
        formula = Formula(getattr(self.declaration, key), key)
        count = float(formula({"itemsize": self.signature.dtype.itemsize, **case}))
        if not math.isfinite(count) or count < 0:
            raise ConfigError(f"{self.name}: {key}: expected a finite count, {formula.text} is {count}; correct it")
        return count

    def _bytes(self, case: Case) -> float:
        return self._traffic(case) if self.declaration.bytes is None else self._count("bytes", case)

    def _traffic(self, case: Case) -> float:
        """Every array once, those that are read and written twice."""
        return float(sum(
            math.prod(a.shape(case)) * self.signature.dtype_of(a).itemsize * (2 if a.role is Role.INOUT else 1)
            for a in self.signature.arrays
        ))  # fmt: skip

    def _default_sizes(self, last_level_cache: int) -> list[dict[str, int]]:
        entries: Mapping[str, Any] = self.declaration.sizes  # Any: pydantic's models
        lists = {name: e.scored if isinstance(e.scored, list) else [e.scored] for name, e in entries.items()}
        sizes = []
        for at in range(max(map(len, lists.values()))):
            size = {name: values[min(at, len(values) - 1)] for name, values in lists.items()}
            unknowns = [name for name, value in size.items() if value == "beyond-cache"]

            def num_bytes(extent: int, size: dict[str, Any] = size, unknowns: list[str] = unknowns) -> float:
                case = self.calls.scored({**size, **dict.fromkeys(unknowns, extent)})
                return sum(math.prod(a.shape(case)) * self.signature.dtype_of(a).itemsize
                           for a in self.signature.arrays)  # fmt: skip

            if unknowns:
                size |= dict.fromkeys(unknowns, extent_beyond_cache(num_bytes, last_level_cache))
            sizes.append(size)
        return sizes
