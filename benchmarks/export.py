"""How long does the export of a run of 10,000 evaluations take, for each format?

    python benchmarks/export.py [FORMAT...] [--evaluations 10000] [--run RUN] [--out export.json]

The run is synthetic (tests/fake_runs.py: kernels of 4,000 characters that were never compiled, with made-up timings),
because the time of an export depends on the number and length of records only; ``--run`` keeps it. Each format is
exported once, from opening the run to the last file; the numbers include the reading of the run. Raw seconds go to
``--out``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qdkernel.core import Placement, Provenance, parse_cell
from qdkernel.export import FORMATS, Selection, open_source
from tests.fake_runs import add_by_model, breed, kernel, new_run

REPAIRS = 100
TARGET = parse_cell("packed/512/static/near")
LINES = 100  # of 40 characters, about the length of bred kernels
FILES = {"jsonl": ".jsonl", "parquet": ".parquet", "t4": ".json"}


def main() -> None:
    """Prints a line per format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formats", metavar="FORMAT", nargs="*", help="default: all")
    parser.add_argument("--run", type=Path, help="use this run; it is made when missing")
    parser.add_argument("--evaluations", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.run or Path(folder) / "run"
        if not run.exists():
            with new_run(Path(folder) / "runs") as made:
                breed(made, arguments.evaluations - REPAIRS, lines=LINES)
                for number in range(REPAIRS):
                    failed = Provenance(repair_of=kernel(f"number {number}", LINES).id, repairs=1)
                    add_by_model(made, TARGET, 30 + number / 10, placement=Placement.NOT_ADDED, provenance=failed)
            shutil.move(made.path, run)
        for name in arguments.formats or FORMATS:
            began = time.perf_counter()
            with open_source([run], Selection(unchecked=True)) as source:
                files = FORMATS[name].write(source, Path(folder) / f"{name}{FILES.get(name, '')}")
            seconds[name] = time.perf_counter() - began
            print(
                f"{name:15s} {seconds[name]:6.2f} s, {sum(path.stat().st_size for path in files) / 1e6:8.1f} MB",
                flush=True,
            )
    if arguments.out:
        arguments.out.write_text(json.dumps({"evaluations": arguments.evaluations, "seconds": seconds}, indent=1))


if __name__ == "__main__":
    main()
