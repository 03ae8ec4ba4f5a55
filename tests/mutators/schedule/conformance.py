"""What every schedule template has to hold; a new one passes when a subclass of ``TemplateConformance`` passes.

A problem of a family of loop nests has a subclass of ``GenomeConformance``, and ``test_families.py`` tests its kernels.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from qdkernel.core import Cell, cell_name, reachable_cells
from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.binary import disassemble, read_shared_object
from qdkernel.evaluators.source import refuse_source
from qdkernel.mutators import Brief
from qdkernel.mutators.schedule import ScheduleTemplate, tunables, with_values
from tests.compiled import compile_prototype
from tests.mutators.briefs import MACHINE

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

TARGETS = ("-march=native", "-march=native -mno-avx512f", "-march=x86-64")
OPTIMIZED = "-O3 -fopenmp"
SHARE_AS_PREDICTED = 0.9


def reached_cells(template: ScheduleTemplate[Any]) -> list[Cell]:  # Any: each template has its own genome
    """The cells that a template has genomes for."""
    return [cell for cell in reachable_cells(MACHINE.simd_widths) if template.reaches(cell)]


def genomes_of(template: ScheduleTemplate[Any], brief: Brief, count: int, seed: int = 0) -> Iterator[Any]:  # Any: above
    """Genomes from all over the space: each aims at a random cell of the template and is changed a few times."""
    rng = np.random.default_rng(seed)
    cells = reached_cells(template)
    for _ in range(count):
        genome = template.fresh(brief, rng)
        genome = template.towards(genome, cells[int(rng.integers(len(cells)))], brief, rng)
        for _ in range(int(rng.integers(4))):
            genome = template.mutate(genome, brief, rng)
        yield genome


class GenomeConformance:
    """Subclass it with a template and a brief.

    Attributes:
        template: the template under test.
        brief: of a machine with every SIMD width.
        function: name of the problem's function.
    """

    template: ClassVar[ScheduleTemplate[Any]]  # Any: each template has its own genome
    brief: ClassVar[Brief]
    function: ClassVar[str]

    # -- genomes --------------------------------------------------------------------------------------------------

    def genomes(self, count: int, seed: int = 0) -> Iterator[Any]:  # Any: the template's genomes
        """Genomes from all over the space."""
        return genomes_of(self.template, self.brief, count, seed)

    def test_the_same_generator_state_gives_the_same_genomes(self) -> None:
        assert list(self.genomes(10)) == list(self.genomes(10))

    def test_a_mutation_is_never_the_genome_itself(self) -> None:
        rng = np.random.default_rng(1)
        assert all(self.template.mutate(genome, self.brief, rng) != genome for genome in self.genomes(50))

    def test_towards_reaches_every_cell_of_the_template_from_anywhere(self) -> None:
        rng = np.random.default_rng(2)
        for genome in self.genomes(5, seed=3):
            aimed = {
                cell: self.template.towards(genome, cell, self.brief, rng) for cell in reached_cells(self.template)
            }
            assert {cell: self.template.cell_of(each) for cell, each in aimed.items()} == {cell: cell for cell in aimed}

    def test_towards_its_own_cell_changes_nothing(self) -> None:
        rng = np.random.default_rng(4)
        for genome in self.genomes(30, seed=5):
            assert self.template.towards(genome, self.template.cell_of(genome), self.brief, rng) == genome

    def test_a_cross_of_a_genome_with_itself_is_the_genome(self) -> None:
        rng = np.random.default_rng(6)
        for genome in self.genomes(20, seed=7):
            assert self.template.cross(genome, genome, self.brief, rng) == genome

    def test_a_cross_takes_choices_of_both(self) -> None:
        rng, found = np.random.default_rng(8), 0
        for one, other in zip(self.genomes(20, seed=9), self.genomes(20, seed=10), strict=True):
            child = self.template.cross(one, other, self.brief, rng)
            found += child not in (one, other)
            assert self.template.cell_of(child) in reached_cells(self.template)
        assert found > 10

    def test_json_text_gives_the_genome_back(self) -> None:
        for genome in self.genomes(30, seed=11):
            text = json.dumps(self.template.to_json(genome))
            assert self.template.from_json(json.loads(text)) == genome

    def test_json_of_another_version_is_a_type_error(self) -> None:
        values = self.template.to_json(next(self.genomes(1)))
        with pytest.raises(TypeError):
            self.template.from_json({**values, "color": "red"})
        with pytest.raises(TypeError):
            self.template.from_json({})

    def test_an_idea_is_one_line_of_text(self) -> None:
        for before, after in zip(self.genomes(30, seed=12), self.genomes(30, seed=13), strict=True):
            for idea in (self.template.summary(after), self.template.difference(before, after)):
                assert idea.strip()
                assert "\n" not in idea

    # -- printed C ------------------------------------------------------------------------------------------------

    def test_a_printed_kernel_opens_with_a_comment_and_is_accepted_by_the_source_policy(self) -> None:
        for genome in self.genomes(40, seed=14):
            source = self.template.print(genome)
            assert source.startswith(f"/* {self.function}: ")
            assert max(len(line) for line in source.splitlines()) <= 120
            assert refuse_source(source.encode(), self.function) is None

    def test_a_printed_constant_can_be_set_to_what_its_comment_offers(self) -> None:
        rng, taken, offered = np.random.default_rng(15), 0, 0
        for genome in self.genomes(60, seed=16):
            source = self.template.print(genome)
            for constant in tunables(source):
                value = constant.choices[int(rng.integers(len(constant.choices)))]
                child = self.template.with_constants(genome, {constant.name: value})
                offered += 1
                if child is not None:
                    taken += 1
                    values = {each.name: each.value for each in tunables(self.template.print(child))}
                    assert values.get(constant.name, value) == value
                    assert self.template.cell_of(child) == self.template.cell_of(genome)
        assert offered > 60
        assert taken > 0.8 * offered

    def test_a_constant_set_to_its_own_value_changes_nothing(self) -> None:
        for genome in self.genomes(30, seed=17):
            source = self.template.print(genome)
            values = {constant.name: constant.value for constant in tunables(source)}
            assert self.template.with_constants(genome, values) == genome
            assert with_values(source, values) == source


class TemplateConformance(GenomeConformance):
    """Subclass it with a template and a brief, and say how a compiled kernel is checked.

    Attributes:
        prototype: C declaration of the problem's function.
        extent: the largest scored loop length.
        nest_depth: loops in the textbook implementation's nest.
        warnings: what the compiler must not have to say.
        compiled: kernels that are compiled to compare cells; a quarter as many compute.
    """

    prototype: ClassVar[str]
    extent: ClassVar[int]
    nest_depth: ClassVar[int]
    warnings: ClassVar[str] = "-Wall -Wextra -Werror"
    compiled: ClassVar[int] = 80

    def check_command(self, kernel: Path, program: Path) -> str:
        """The command that links ``kernel`` with a program which exits 0 when all results are right."""
        raise NotImplementedError

    @needs_gcc
    @pytest.mark.slow
    def test_printed_kernels_compile_without_warnings_for_every_target_and_compute_the_right_result(
        self, tmp_path: Path
    ) -> None:
        threads = {**os.environ, "OMP_NUM_THREADS": "2"}
        source, kernel, program = tmp_path / "kernel.c", tmp_path / "kernel.o", tmp_path / "check"
        for number, genome in enumerate(self.genomes(self.compiled // 4, seed=18)):
            source.write_text(self.template.print(genome), encoding="utf-8")
            for target in (TARGETS[(number + shift) % len(TARGETS)] for shift in range(2)):
                command = f"gcc {OPTIMIZED} {self.warnings} {target} -c {source} -o {kernel}"
                built = subprocess.run(command.split(), capture_output=True, text=True, timeout=60, check=False)
                assert (built.returncode, built.stderr) == (0, ""), genome
            subprocess.run(self.check_command(kernel, program).split(), timeout=60, check=True)
            done = subprocess.run([program], env=threads, capture_output=True, text=True, timeout=120, check=False)
            assert (done.returncode, done.stdout) == (0, ""), genome

    @needs_gcc
    @pytest.mark.slow
    def test_nine_in_ten_kernels_land_in_the_cell_that_their_genome_predicts(self, tmp_path: Path) -> None:
        missed: list[tuple[str, str, Any]] = []  # Any: the template's genome
        cells = set[Cell]()
        for genome in self.genomes(self.compiled, seed=19):
            so = read_shared_object(
                compile_prototype(self.template.print(genome), tmp_path, self.prototype, self.function)
            )
            source = (tmp_path / "kernel.c").read_text(encoding="utf-8")
            cell, _ = describe(source, so, disassemble(so), self.extent, self.nest_depth)
            cells.add(cell)
            if cell != self.template.cell_of(genome):
                missed.append((cell_name(self.template.cell_of(genome)), cell_name(cell), genome))
        assert len(missed) <= (1 - SHARE_AS_PREDICTED) * self.compiled, missed
        assert len(cells) > self.compiled // 2
