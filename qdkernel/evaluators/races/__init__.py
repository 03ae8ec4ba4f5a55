"""Races between the threads of a kernel, found by ThreadSanitizer on LLVM's OpenMP runtime with Archer."""

from qdkernel.evaluators.races.report import Access, Race, read_race
from qdkernel.evaluators.races.runtime import (
    RaceRuntime,
    build_race_runner,
    compile_watched,
    find_race_runtime,
    lacking_race_runtime,
)
from qdkernel.evaluators.races.watch import NotWatched, RaceExecutable, WatchedCalls, watch_races

__all__ = [
    "Access",
    "NotWatched",
    "Race",
    "RaceExecutable",
    "RaceRuntime",
    "WatchedCalls",
    "build_race_runner",
    "compile_watched",
    "find_race_runtime",
    "lacking_race_runtime",
    "read_race",
    "watch_races",
]
