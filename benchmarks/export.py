"""How long does the export of a run of 10,000 evaluations take, for each format?

    python benchmarks/export.py [--evaluations 10000] [--out export.json]

The run is synthetic (tests/fake_runs.py: kernels that were never compiled, with made-up timings), because the time of
an export depends on the number and length of records only. Each format is exported once, from opening the run to the
last file; the numbers include the reading of the run. Raw seconds go to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qdkernel.export import FORMATS, open_source
from tests.fake_runs import breed, new_run

FILES = {"jsonl": ".jsonl", "parquet": ".parquet", "t4": ".json"}


def main() -> None:
    """Prints a line per format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        with new_run(Path(folder) / "runs") as run:
            breed(run, arguments.evaluations)
        for name, made in FORMATS.items():
            began = time.perf_counter()
            with open_source([run.path]) as source:
                files = made.write(source, Path(folder) / f"{name}{FILES.get(name, '')}")
            seconds[name] = time.perf_counter() - began
            print(
                f"{name:15s} {seconds[name]:6.2f} s, {sum(path.stat().st_size for path in files) / 1e6:8.1f} MB",
                flush=True,
            )
    if arguments.out:
        arguments.out.write_text(json.dumps({"evaluations": arguments.evaluations, "seconds": seconds}, indent=1))


if __name__ == "__main__":
    main()
