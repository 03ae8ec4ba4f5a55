"""One estimate of a kernel's speed from several measurements."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qdkernel.core import Measured, Timing, pool, pooled

FLOPS, REFERENCE_NS = 2e6, 1000.0


def timing(
    *kernel_ns: float,
    reference_ns: float = REFERENCE_NS,
    quiet: bool = True,
    bound: bool = False,
    spread: float = 0.1,
) -> Timing:
    """A size at which the reference runs at 2000 GFLOP/s on quiet cores."""
    ratio = min(reference_ns, REFERENCE_NS if not quiet else reference_ns) / sorted(kernel_ns)[len(kernel_ns) // 2]
    return Timing(
        size={"n": 100},
        flops=FLOPS,
        bytes=1.0,
        block_calls=1,
        kernel_ns=kernel_ns,
        reference_ns=(reference_ns,) * len(kernel_ns),
        ratio=ratio,
        ratio_low=(1 - spread) * ratio,
        ratio_high=(1 + spread) * ratio,
        gflops=ratio * FLOPS / REFERENCE_NS,
        quiet=quiet,
        bound=bound,
    )


def test_all_rounds_of_all_measurements_count_rather_than_the_luckiest() -> None:
    looks = [timing(943.0), timing(1144.0), timing(1003.0), timing(968.0), timing(990.0)]
    (together,) = pool([[each] for each in looks])
    assert together.kernel_ns == (943.0, 1144.0, 1003.0, 968.0, 990.0)
    assert together.ratio == pytest.approx(1000 / 990)
    assert together.ratio_low < together.ratio < together.ratio_high
    assert together.gflops == pytest.approx(together.ratio * FLOPS / REFERENCE_NS)


def test_measurements_of_a_busy_host_do_not_count_beside_one_of_quiet_cores() -> None:
    quiet = timing(990.0, 1000.0, 1010.0)
    assert pool([[timing(1500.0, quiet=False)], [quiet]]) == (quiet,)


def test_on_a_busy_host_the_reference_counts_as_on_quiet_cores_at_most() -> None:
    busy = timing(2000.0, 2000.0, reference_ns=3000.0, quiet=False)
    (together,) = pool([[busy], [busy]])
    assert together.ratio == pytest.approx(REFERENCE_NS / 2000.0)
    assert not together.quiet


def test_a_bound_does_not_count_beside_a_measurement() -> None:
    (together,) = pool([[timing(5e5, bound=True)], [timing(4e5)]])
    assert not together.bound
    assert together.kernel_ns == (4e5,)


def test_sizes_are_pooled_one_by_one_and_the_objective_is_their_geometric_mean() -> None:
    first = Measured(1.0, (timing(500.0), timing(250.0)))
    assert pooled([first]) is first
    together = pooled([first, replace(first, timings=(timing(500.0), timing(250.0)))])
    assert [each.ratio for each in together.timings] == pytest.approx([2.0, 4.0])
    assert together.objective == pytest.approx(2000 * (2.0 * 4.0) ** 0.5)
