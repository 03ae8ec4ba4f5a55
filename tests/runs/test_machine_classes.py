from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.errors import RunFolderError
from qdkernel.runs import RunFolder, class_folder, runs_in
from tests.fake_runs import CONFIG, RECORD


def make(run: Path, machine_class: str) -> Path:
    own = class_folder(run, machine_class)
    RunFolder.create(own, "dgemm", CONFIG, RECORD, exact=True).close()
    return own


def test_a_folder_without_classes_stands_for_itself(tmp_path: Path) -> None:
    assert runs_in(tmp_path) == [tmp_path]


def test_a_run_on_one_class_of_machine_opens_by_its_own_name(tmp_path: Path) -> None:
    own = make(tmp_path, "a1")
    with RunFolder.open(tmp_path) as folder:
        assert folder.path == own


def test_a_run_on_several_classes_lists_them_instead_of_choosing(tmp_path: Path) -> None:
    first, second = make(tmp_path, "a1"), make(tmp_path, "b2")
    assert runs_in(tmp_path) == [first, second]
    with pytest.raises(RunFolderError) as caught:
        RunFolder.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds an archive for each of 2 classes of machine; give one of them: {first}, {second}"
    )


def test_the_class_of_a_record_changes_with_what_measurements_depend_on() -> None:
    changed = RECORD.compiler.model_copy(update={"flags": ("-O3",)})
    assert len(RECORD.machine_class) == 16
    assert RECORD.model_copy(update={"compiler": changed}).machine_class != RECORD.machine_class
    assert RECORD.model_copy(update={"containment": 3}).machine_class != RECORD.machine_class
    assert RECORD.model_copy(update={"threads": 1}).machine_class == RECORD.machine_class
