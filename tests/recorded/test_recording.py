"""Recordings: the files of the repository in both formats, objectives, and files that are none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from qdkernel.errors import RecordingError
from qdkernel.recorded import PACKED_DGEMM, Recording, Samples, read_t4, write_compressed
from tests.fake_runs import RECORD
from tests.recorded.spaces import CACHE, T4, recording


def test_the_recording_covers_the_space_with_two_visits_of_two_blocks_each() -> None:
    assert set(recording().samples) == set(PACKED_DGEMM.configurations)
    blocks = {(len(each.kernel_ms), len(each.baseline_ms)) for each in recording().samples.values()}
    assert blocks == {(4, 4)}


def test_writing_what_was_read_gives_the_same_bytes(tmp_path: Path) -> None:
    write_compressed(recording().to_t4(), tmp_path / "t4")
    write_compressed(recording().to_cache(), tmp_path / "cache")
    for name, path in (("t4", T4), ("cache", CACHE)):
        assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress(path.read_bytes())


def test_both_files_have_the_same_times_under_the_keys_of_their_formats() -> None:
    t4, cache = (json.loads(gzip.decompress(path.read_bytes())) for path in (T4, CACHE))
    assert t4["schema_version"] == "1.0.0"
    assert {result["invalidity"] for result in t4["results"]} == {"correct"}
    assert cache["tune_params_keys"] == list(PACKED_DGEMM.parameters)
    assert {name: tuple(values) for name, values in cache["tune_params"].items()} == {
        name: tuple(sorted(values)) for name, values in PACKED_DGEMM.parameters.items()
    }
    for result in t4["results"][::100]:
        row = cache["cache"][",".join(map(str, result["configuration"].values()))]
        assert row["times"] == result["times"]["runtimes"]
        assert row["time"] == result["measurements"][0]["value"]


def test_an_objective_is_the_speed_in_the_fastest_block() -> None:
    record = RECORD.model_copy(
        update={"baseline": RECORD.baseline.model_copy(update={"gflops": RECORD.baseline.gflops[:1]})}
    )
    made = Recording(("kc",), record, {(64,): Samples((1.0, 0.5, 4.0), (2.0, 2.0, 2.0))})
    assert made.gflops == {(64,): pytest.approx(2 * 256**3 / 0.5 / 1e6)}


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"{", mtime=0), gzip.compress(b'{"results": []}', mtime=0)]
)
def test_another_file_is_refused_with_what_was_expected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(RecordingError, match="expected compressed T4 with the machine in its metadata"):
        read_t4(tmp_path / "file")
