"""The contract of export formats as tests: a format is complete when a subclass passes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qdkernel.core import Placement, Provenance, parse_cell
from qdkernel.errors import QdkernelError, RunFolderError
from qdkernel.export import Format, Selection, open_source
from tests.fake_runs import add_by_model, breed, kernel, new_run

TARGET = parse_cell("packed/512/static/near")
UNCHECKED = Selection(unchecked=True)  # the kernels of these runs are made up


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs: one of built-in operators, one with a model."""
    root = tmp_path_factory.mktemp("runs")
    with new_run(root) as plain:
        breed(plain, 80)
    with new_run(root) as spoken:
        breed(spoken, 40, seed=2)
        for speed in (50.0, 60.0, 70.0):
            add_by_model(spoken, TARGET, speed, parents=(kernel("number 1").id,))
        for speed in (35.0, 36.0, 37.0, 38.0):
            repaired = Provenance(repair_of=kernel(f"broken {speed}").id, repairs=1)
            add_by_model(spoken, TARGET, speed, placement=Placement.NOT_ADDED, provenance=repaired)
    return [plain.path, spoken.path]


class FormatConformance:
    """Subclasses say which format, and whether it writes a file (``ending``) or a folder."""

    ending: str = ""

    def make(self) -> Format:
        raise NotImplementedError

    def test_it_has_a_name_and_one_sentence(self) -> None:
        made = self.make()
        assert made.name == made.name.lower().strip()
        assert made.help.endswith(".")
        assert "\n" not in made.help

    def test_it_writes_what_it_returns(self, runs: list[Path], tmp_path: Path) -> None:
        out = tmp_path / f"out{self.ending}"
        with open_source(runs, UNCHECKED) as source:
            written = self.make().write(source, out)
        there = [out] if out.is_file() else [path for path in out.rglob("*") if path.is_file()]
        assert sorted(written) == sorted(there) != []
        assert all(path.stat().st_size for path in written)

    def test_a_second_export_replaces_the_first(self, runs: list[Path], tmp_path: Path) -> None:
        out = tmp_path / f"out{self.ending}"
        with open_source(runs, UNCHECKED) as source:
            first = {path: path.read_bytes() for path in self.make().write(source, out)}
            second = {path: path.read_bytes() for path in self.make().write(source, out)}
        assert first == second

    def test_json_files_are_strict(self, runs: list[Path], tmp_path: Path) -> None:
        with open_source(runs, UNCHECKED) as source:
            written = self.make().write(source, tmp_path / f"out{self.ending}")
        for path in written:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
            elif path.suffix == ".jsonl":
                for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
                    json.loads(line, parse_constant=pytest.fail)

    def test_a_place_that_cannot_be_written_is_named(self, runs: list[Path], tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        with (
            open_source(runs, UNCHECKED) as source,
            pytest.raises(RunFolderError, match="file"),
        ):
            self.make().write(source, tmp_path / "file" / f"out{self.ending}")

    def test_a_foreign_file_stays(self, runs: list[Path], tmp_path: Path) -> None:
        out = tmp_path / f"out{self.ending}"
        mine = out if self.ending else out / "mine.txt"
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
        with open_source(runs, UNCHECKED) as source:
            try:
                self.make().write(source, out)
            except QdkernelError as error:
                assert str(out) in str(error)  # noqa: PT017
        assert mine.read_text() == "mine"
