"""The tests; one thread for numpy's products in each of their processes, as several of them share the cores."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported
