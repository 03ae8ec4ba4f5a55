from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import run_python_of


@pytest.mark.slow
def test_the_example_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    run_python_of("add-an-export-format.md", tmp_path)
