from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.config import load_config
from qdkernel.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("sizes: [{m:64, n: 64, k: 64}]", "'m:64' is one word to YAML; write a blank after the colon: {m: 64}"),
        ("sizes: [{m: 64, n: 64, k:64}]", "write a blank after the colon: {k: 64}"),
        ("timing: {block_ms:2}", "write a blank after the colon: {block_ms: 2}"),
    ],
)
def test_a_flow_map_without_a_blank_after_the_colon_gets_a_hint(text: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(f"problem: dgemm\nbudget: {{minutes: 1}}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "run.yaml")
    assert hint in str(caught.value)
    assert "run.yaml:3" in str(caught.value)
