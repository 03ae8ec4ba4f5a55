"""What did each operator earn in a run?

    python examples/read_a_run.py RUN

Expected: a line per operator with its proposals, how many ended ok, and how many took a cell. Takes a second; needs
neither a compiler nor the machine that made the run.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from qdkernel.core import Outcome
from qdkernel.runs import RunFolder


def main() -> None:
    """Counts over the run's log."""
    proposed, correct, placed = Counter[str](), Counter[str](), Counter[str]()
    with RunFolder.open(Path(sys.argv[1])) as folder:
        for record in folder.evaluations.records():
            operator = record.proposal.operator
            proposed[operator] += 1
            correct[operator] += record.evaluation.outcome is Outcome.OK
            placed[operator] += record.placed
    for operator, count in proposed.most_common():
        print(f"{operator:10} {count:5} proposed, {correct[operator]:5} ok, {placed[operator]:5} took a cell")


if __name__ == "__main__":
    main()
