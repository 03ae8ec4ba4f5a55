"""The recorded space of the repository, loaded once for all tests."""

from __future__ import annotations

from functools import cache

from qdkernel.recorded import PACKED_DGEMM, RecordedSpace, Recording, read_t4
from tests.paths import ROOT

T4 = ROOT / "benchmarks" / "data" / "packed-dgemm.t4.json.gz"
CACHE = ROOT / "benchmarks" / "data" / "packed-dgemm.cache.json.gz"


@cache
def recording() -> Recording:
    return read_t4(T4)


@cache
def recorded_space() -> RecordedSpace:
    return RecordedSpace.load(PACKED_DGEMM, recording())
