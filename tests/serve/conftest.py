from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serve.service import TOKEN, Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("serve"), "--max-queue", "40", token=TOKEN) as running:
        yield running
