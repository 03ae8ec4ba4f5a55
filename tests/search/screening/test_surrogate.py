"""The model of speed over genomes: what it learns, how sure it is, and that it is repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from qdkernel.search.screening.surrogate import Surrogate
from tests.search.screening.textbook import Regression

TILES, PACKINGS, COLORS = (1, 2, 4, 8, 16), ("none", "b", "ab"), ("red", "green", "blue")


def speed(genome: dict[str, object]) -> float:
    tile, packing = genome["tile"], genome["packing"]
    assert isinstance(tile, int)
    return float(10.0 * tile ** (0.5 if packing == "ab" else 0.2))


def genomes(count: int, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    names = (("tile", TILES), ("packing", PACKINGS), ("color", COLORS))
    return [{name: values[int(rng.integers(len(values)))] for name, values in names} for _ in range(count)]


def learned(count: int) -> Surrogate:
    made = Surrogate()
    for genome in genomes(count, seed=0):
        made.add(genome, speed(genome))
    return made


def test_it_predicts_genomes_it_has_not_seen_to_a_few_per_cent() -> None:
    asked = genomes(50, seed=1)
    means, _ = learned(40).predict(asked)
    errors = np.abs(np.exp(means) / [speed(genome) for genome in asked] - 1)
    assert np.median(errors) < 0.03


def test_a_choice_that_changes_nothing_is_found_irrelevant() -> None:
    model = learned(48)
    means, _ = model.predict([{"tile": 8, "packing": "ab", "color": color} for color in COLORS])
    assert np.ptp(means) < 0.01


def test_it_is_surer_of_what_it_has_seen_than_of_what_it_has_not() -> None:
    model = Surrogate()
    for tile in (1, 2, 4):
        model.add({"tile": tile, "packing": "ab"}, float(tile))
    _, (seen, unseen) = model.predict([{"tile": 2, "packing": "ab"}, {"tile": 2048, "packing": "none"}])
    assert seen < 0.2 * unseen


def test_nested_and_missing_choices_are_features_of_their_own() -> None:
    model = Surrogate()
    for ahead in (4, 8, 16):
        model.add({"prefetch": {"ahead": ahead}}, 2.0)
        model.add({"prefetch": None}, 1.0)
    means, _ = model.predict([{"prefetch": {"ahead": 8}}, {"prefetch": None}])
    assert np.exp(means) == pytest.approx([2.0, 1.0], rel=0.02)


def test_equal_observations_do_not_break_it() -> None:
    model = Surrogate()
    for _ in range(40):
        model.add({"tile": 4}, 3.0)
    means, deviations = model.predict([{"tile": 4}, {"tile": 8}])
    assert np.exp(means) == pytest.approx([3.0, 3.0])
    assert np.all(np.isfinite(deviations))


def test_the_same_observations_give_the_same_predictions_whenever_it_was_asked() -> None:
    asked, other = genomes(10, seed=2), Surrogate()
    for genome in genomes(60, seed=0):
        other.add(genome, speed(genome))
        other.predict(asked)
    assert [each.tolist() for each in learned(60).predict(asked)] == [each.tolist() for each in other.predict(asked)]


def test_predictions_are_those_of_the_textbook() -> None:
    aheads = (None, {"near": 4}, {"near": 64, "far": "nta"}, {"near": 8, "far": "t1"})
    mixed = [{**genome, "ahead": aheads[number % 4]} for number, genome in enumerate(genomes(50, seed=3))]
    observed, asked = mixed[:40], mixed[40:]
    model, textbook = Surrogate(), Regression()
    for genome in observed:
        model.add(genome, speed(genome))
        textbook.add(genome, speed(genome))
    assert set(textbook.weights.values()) == {0.0, 0.3}
    for found, expected in zip(model.predict(asked), textbook.predict(asked), strict=True):
        assert found == pytest.approx(expected, rel=1e-6)


def test_of_many_observations_the_latest_predict() -> None:
    model = Surrogate()
    for _ in range(50):
        model.add({"tile": 4}, 100.0)
    for number in range(272):
        model.add({"tile": 1 + number % 8}, 3.0)
    means, _ = model.predict([{"tile": 4}])
    assert np.exp(means) == pytest.approx([3.0])


def test_it_cannot_predict_from_nothing() -> None:
    with pytest.raises(ValueError, match="expected an observation before the first prediction"):
        Surrogate().predict([{"tile": 1}])
