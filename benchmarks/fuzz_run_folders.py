"""Does anything that reads a run folder fail on one that somebody damaged or made with bad intent?

Method: ``tests/fuzz/folders.py``: copies of a small run in which values, schema, bytes, texts or files are changed, up
to three at a time; each is read, shown, compared, reported, exported, configured and written to. An error that a user
is told is right; any other exception, more than 60 s or 4 GiB, and every change outside of the folder are findings. A
case is known by seed and number.
Machine: any; about 20 minutes of one core for the default. Exit code 1 when there are findings.

    python benchmarks/fuzz_run_folders.py [CASES] [SEED] [FIRST]
"""

from __future__ import annotations

import resource
import secrets
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parent.parent))  # the cases live with the tests

from tests.fuzz.folders import judge_folder, make_folder, template_run, uses_of  # needs the path above

DEADLINE_S = 60
MEMORY = 4 << 30


class Late(BaseException):
    """A case ran over its deadline."""


def _late(number: int, frame: FrameType | None) -> None:
    raise Late


def main() -> int:
    """Runs the campaign and prints what came of it."""
    cases, seed, first = [*map(int, sys.argv[1:]), *(10_000, secrets.randbelow(1 << 32), 0)[len(sys.argv) - 1 :]]
    print(f"cases {first} to {first + cases - 1}, seed {seed}", flush=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _late)
    outcomes: Counter[str] = Counter()
    findings = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        template = template_run(Path(folder) / "template")
        for number in range(first, first + cases):
            path = make_folder(seed, number, template, Path(folder) / "case")
            signal.alarm(DEADLINE_S)
            try:
                for use, what in judge_folder(path, Path(folder) / "out", uses_of(number)).items():
                    outcomes[f"{use:10} {'done' if what == 'done' else 'an error that is told'}"] += 1
            except (Exception, Late) as error:
                findings += 1
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{where.filename}:{where.lineno}"
                print(f"FINDING case {number}: {type(error).__name__}: {str(error)[:200]} ({place})", flush=True)
            finally:
                signal.alarm(0)
    print(f"{cases} cases in {time.monotonic() - began:.0f} s, {findings} findings")
    for outcome, count in sorted(outcomes.items()):
        print(f"  {outcome:40} {count:8}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
