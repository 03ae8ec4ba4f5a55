"""Does the client of models survive whatever a server may send?

Method: ``tests/fuzz/endpoints.py``: answers with changed JSON, bytes, status, headers, packing and chunks, cut short,
followed by silence, a flood or a reset. A completion, or a failure in one printable line without the key, is right;
any other exception, more than 40 s for two requests of a second, and more than 1 GiB are findings. A case is known
by seed and number.
Machine: any; about 15 minutes of one core for the default. Exit code 1 when there are findings.

    python benchmarks/fuzz_endpoints.py [CASES] [SEED] [FIRST]
"""

from __future__ import annotations

import resource
import secrets
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # the cases live with the tests

from tests.fuzz.endpoints import HostileServer, judge_answer, make_answer

MEMORY_KB = 1 << 20


def main() -> int:
    """Runs the campaign and prints what came of it."""
    cases, seed, first = [*map(int, sys.argv[1:]), *(10_000, secrets.randbelow(1 << 32), 0)[len(sys.argv) - 1 :]]
    print(f"cases {first} to {first + cases - 1}, seed {seed}", flush=True)
    outcomes: Counter[str] = Counter()
    findings, began = 0, time.monotonic()
    with HostileServer() as server:
        for number in range(first, first + cases):
            try:
                outcomes[judge_answer(server, make_answer(seed, number))] += 1
            except Exception as error:
                findings += 1
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{where.filename}:{where.lineno}"
                print(f"FINDING case {number}: {type(error).__name__}: {str(error)[:200]!r} ({place})", flush=True)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if peak_kb > MEMORY_KB:
        findings += 1
        print(f"FINDING {peak_kb >> 10} MiB resident")
    print(f"{cases} cases in {time.monotonic() - began:.0f} s, {findings} findings, {peak_kb >> 10} MiB resident")
    for outcome, count in outcomes.most_common():
        print(f"  {outcome:20} {count:8}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
