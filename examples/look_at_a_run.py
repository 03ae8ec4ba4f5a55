"""What is in a run, and how did its best kernel come about? Cells (# %%) as notebooks have them.

    python examples/look_at_a_run.py RUN [OUT.png]

Expected: the five fastest elites, the lineage of the best with the gain of each step, and a picture with the progress
and the archive. Takes two seconds; needs neither a compiler nor the machine that made the run. With pandas,
``pandas.DataFrame(run.evaluations())`` is a table; in a notebook, ``run`` alone shows the archive.
"""

# %%
from __future__ import annotations

import sys
from collections import Counter

from matplotlib.figure import Figure

import qdkernel

run = qdkernel.open_run(sys.argv[1])
print(run)

# %% Outcomes by operator
counts = Counter((row["operator"], row["outcome"]) for row in run.evaluations())
for (operator, outcome), count in counts.most_common():
    print(f"{operator:12} {outcome:18} {count:6}")

# %% The fastest elites
for row in run.elites()[:5]:
    print(f"{row['gflops']:8.1f} GFLOP/s  {row['ratio']:.3f} of baseline  {row['cell']}")

# %% How the best one came about
if best := run.elites()[:1]:
    for step in run.lineage(best[0]["kernel"]):
        gain = f"x {step['gain']:.2f}" if step["gain"] else ""
        print(f"{step['gflops'] or 0:8.1f} GFLOP/s  {gain:8} {step['operator']}")

# %% Pictures
figure = Figure(figsize=(11, 4), layout="constrained")
left, right = figure.subplots(1, 2)
run.plot_progress(left)
run.plot_archive(right)
if len(sys.argv) > 2:
    figure.savefig(sys.argv[2])
