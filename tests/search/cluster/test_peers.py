from __future__ import annotations

from qdkernel.search.cluster.peers import Peers


def report(speeds: dict[str, float]) -> tuple[list[str], list[str]]:
    """The hosts excluded, and what was noted."""
    notes: list[str] = []
    peers = Peers(flagged=0.05, excluded=0.15, note=notes.append)
    return [host for name, gflops in speeds.items() for host in peers.report(name, [gflops])], notes


def test_nodes_within_the_noise_are_not_noted() -> None:
    assert report({"n1": 100.0, "n2": 97.0, "n3": 102.0}) == ([], [])


def test_a_node_slower_than_the_noise_is_reported_and_used() -> None:
    excluded, notes = report({"n1": 100.0, "n2": 101.0, "n3": 90.0})
    assert excluded == []
    assert notes == ["node n3 is used, but look at it: its baseline is 10% slower than the median of its peers"]


def test_a_node_past_the_limit_is_excluded_once() -> None:
    excluded, notes = report({"n1": 100.0, "n2": 60.0, "n3": 99.0, "n4": 101.0})
    assert excluded == ["n2"]
    assert notes == ["node n2 gets no more kernels: its baseline is 40% slower than the median of its peers"]


def test_the_first_node_is_excluded_when_the_others_show_that_it_is_slow() -> None:
    assert report({"slow": 50.0, "n2": 100.0, "n3": 100.0})[0] == ["slow"]


def test_a_nodes_first_measurement_counts() -> None:
    peers = Peers(flagged=0.05, excluded=0.15, note=lambda _: None)
    assert [peers.report(*each) for each in (("n1", [100.0]), ("n2", [100.0]), ("n2", [10.0]))] == [[], [], []]
