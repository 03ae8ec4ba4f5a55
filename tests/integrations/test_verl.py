"""verl's own data set classes read the Parquet files; run where verl can be imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qdkernel.export import FORMATS, open_source
from tests.export.conformance import runs
from tests.integrations.tiny import tiny_tokenizer

__all__ = ["runs"]  # a fixture

pytestmark = [pytest.mark.rl, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
rl_dataset = pytest.importorskip("verl.utils.dataset.rl_dataset", reason="needs verl and a CPU build of torch")


@pytest.fixture
def folder(runs: list[Path], tmp_path: Path) -> Path:
    with open_source(runs) as source:
        FORMATS["verl"].write(source, tmp_path / "verl")
    return tmp_path / "verl"


def settings(cache: Path, **more: Any) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.create({"cache_dir": str(cache), "return_raw_chat": True, **more})


def test_the_rl_data_set_reads_every_prompt_with_what_the_reward_needs(folder: Path, tmp_path: Path) -> None:
    config = settings(tmp_path / "cache", max_prompt_length=100_000)
    data = rl_dataset.RLHFDataset([str(folder / "rl-train.parquet")], tiny_tokenizer(), config)
    assert len(data) > 10
    item = data[0]
    assert item["data_source"] == "qdkernel/dgemm"
    assert [message["role"] for message in item["raw_prompt"]] == ["system", "user"]
    assert set(item["extra_info"]) >= {"stage", "split", "index", "target"}
    assert rl_dataset.collate_fn([data[0], data[1]])["data_source"].tolist() == ["qdkernel/dgemm"] * 2


def test_the_sft_data_set_trains_on_the_replies_only(folder: Path, tmp_path: Path) -> None:
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    config = settings(tmp_path / "cache", max_length=100_000, pad_mode="no_padding", truncation="error")
    data = MultiTurnSFTDataset([str(folder / "sft-train.parquet")], tiny_tokenizer(), config)
    item = data[0]
    assert 0 < int(item["loss_mask"].sum()) < len(item["input_ids"]) / 2
