"""Random generators of the judge: those whose outputs kernels can read, and those whose outputs they never can.

SFC64 is fast, but no cipher: inputs contain most bits of its outputs, and twelve elements give its whole state
(measured: 0.3 s on two cores). So there are two kinds of generators, and no seed is derived from another's:

- what is shown to kernels (inputs, poison, canaries, drawn sizes) comes from a generator that is seeded by the
  operating system and used for one refresh only. Its state reveals only what the kernel can read anyway, as does
  that of the generator that it seeds for the second half of a large array;
- what checks a kernel (vectors, rows, weights, orders) comes from a generator none of whose outputs a kernel can read.
"""

from __future__ import annotations

import secrets

import numpy as np

_SEED_BITS = 192  # the state of SFC64


def new_generator() -> np.random.Generator:
    """A generator with entropy of its own from the operating system; takes about 20 us."""
    return np.random.Generator(np.random.SFC64(secrets.randbits(_SEED_BITS)))
