from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from qdkernel.errors import UnknownName
from qdkernel.mutators.llm.prompts import PromptPool
from qdkernel.mutators.llm.prompts.pool import FIRST, SECTION_NAMES, SECTION_TEXTS, first_sections


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def numbers(pool: PromptPool, name: str = "strategies") -> list[int]:
    return [section.version for section in pool.versions(name)]


def chosen(pool: PromptPool, draws: int, name: str = "strategies", seed: int = 0) -> Counter[int]:
    """How often each version would be chosen next; the pool's own counts stay as they are."""
    state, found, generator = pool.to_json(), Counter[int](), rng(seed)
    for _ in range(draws):
        sections = {section.name: section.version for section in PromptPool.from_json(state).choose(generator)}
        found[sections[name]] += 1
    return found


def used(pool: PromptPool, version: int, times: int, earned: float, name: str = "strategies") -> None:
    """Makes the state say that a version went into prompts and what its best kernel earned."""
    state = pool.to_json()
    state[name]["versions"][str(version)] |= {"uses": times, "best": earned}
    pool.__dict__.update(PromptPool.from_json(state).__dict__)


def test_the_first_versions_are_short_and_complete() -> None:
    sections = first_sections()
    assert tuple(section.name for section in sections) == SECTION_NAMES
    for section in sections:
        assert section.version == FIRST
        assert 40 < len(section.text.split()) <= SECTION_TEXTS + 20


def test_a_new_pool_chooses_the_first_versions() -> None:
    assert PromptPool().choose(rng()) == first_sections()


def test_a_version_added_is_numbered_and_can_be_chosen() -> None:
    pool = PromptPool()
    assert pool.add("strategies", "  Tile first. \n", FIRST) == 2
    assert pool.versions("strategies")[1].text == "Tile first."
    assert chosen(pool, 200)[2] > 50
    assert set(chosen(pool, 50, "pitfalls")) == {FIRST}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "x " * 1000,
        "do this:\n```c\nint a;\n```",
        "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE",
        "======= is a divider",
        first_sections()[1].text,
        first_sections()[1].text.upper().replace("\n", "  "),
    ],
)
def test_texts_that_are_empty_too_long_known_or_hold_markers_are_refused(text: str) -> None:
    pool = PromptPool()
    assert pool.add("strategies", text, FIRST) is None
    assert numbers(pool) == [FIRST]


def test_control_characters_do_not_get_into_a_prompt() -> None:
    pool = PromptPool()
    pool.add("pitfalls", "mind\x00the\x1b[2Jgap\r\nand the edge", FIRST)
    assert pool.versions("pitfalls")[-1].text == "mind the [2Jgap\nand the edge"


def test_an_unknown_section_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"no prompt section 'strategy'; did you mean 'strategies'\? \(known: philo"):
        PromptPool().add("strategy", "text", FIRST)


def test_what_earned_more_is_chosen_more_often() -> None:
    pool = PromptPool()
    pool.add("strategies", "Tile first.", FIRST)
    used(pool, 1, 20, 0.1)
    used(pool, 2, 20, 0.9)
    counts = chosen(pool, 300)
    assert counts[2] > 4 * counts[1] > 0


def test_use_wears_a_version_down_and_the_unused_get_a_chance() -> None:
    pool = PromptPool()
    pool.add("strategies", "Tile first.", FIRST)
    used(pool, 1, 200, 0.3)
    used(pool, 2, 10, 0.3)
    assert chosen(pool, 300)[2] > 180
    used(pool, 2, 0, 0.0)
    assert chosen(pool, 300)[2] > 180


def test_credit_keeps_the_best_and_minds_no_stranger() -> None:
    pool = PromptPool()
    pool.credit({"strategies": 1, "pitfalls": 7, "gone": 1}, 0.4)
    pool.credit({"strategies": 1}, 0.2)
    pool.credit({"philosophy": 1}, 12.0)
    pool.credit({"pitfalls": 1}, float("nan"))
    best = {name: pool.to_json()[name]["versions"]["1"]["best"] for name in SECTION_NAMES}
    assert best == {"philosophy": 1.0, "strategies": 0.4, "pitfalls": 0.0}


def test_choosing_counts_as_a_use() -> None:
    pool = PromptPool()
    pool.choose(rng())
    assert [pool.to_json()[name]["versions"]["1"]["uses"] for name in SECTION_NAMES] == [1, 1, 1]


def test_the_state_survives_json() -> None:
    pool = PromptPool()
    pool.add("strategies", "Tile first.", FIRST)
    pool.choose(rng())
    pool.credit({"strategies": 2}, 0.25)
    again = PromptPool.from_json(json.loads(json.dumps(pool.to_json())))
    assert again.to_json() == pool.to_json()
    assert again.choose(rng(5)) == pool.choose(rng(5))
    assert again.add("strategies", "Pack first.", 2) == 3


def test_a_full_section_drops_its_worst_tried_version_and_never_the_first() -> None:
    pool = PromptPool()
    for number in range(2, 9):
        assert pool.add("strategies", f"Advice number {number}.", FIRST) == number
    used(pool, 1, 50, 0.0)
    used(pool, 4, 6, 0.1)
    used(pool, 5, 6, 0.2)
    used(pool, 6, 1, 0.0)
    assert pool.add("strategies", "The ninth.", FIRST) == 9
    assert numbers(pool) == [1, 2, 3, 5, 6, 7, 8, 9]
    assert pool.add("strategies", "Advice number 4.", FIRST) == 10
    assert numbers(pool) == [1, 2, 3, 6, 7, 8, 9, 10]
    assert pool.add("strategies", "The eleventh.", FIRST) == 11
    assert numbers(pool) == [1, 3, 6, 7, 8, 9, 10, 11]


def test_the_section_that_earned_least_is_revised_from_its_best_version() -> None:
    pool = PromptPool()
    pool.add("pitfalls", "Mind the edge.", FIRST)
    used(pool, 1, 9, 0.9, "philosophy")
    used(pool, 1, 9, 0.8, "strategies")
    used(pool, 1, 9, 0.1, "pitfalls")
    used(pool, 2, 9, 0.2, "pitfalls")
    assert pool.worst_section() == "pitfalls"
    picked = Counter((s.name, s.version) for s in (pool.choose_for_revision(rng(seed)) for seed in range(100)))
    assert picked[("pitfalls", 2)] > 80
    assert len(picked) == 3


def test_of_equal_sections_the_one_rewritten_least_is_next() -> None:
    pool = PromptPool()
    pool.add("philosophy", "Measure.", FIRST)
    assert pool.worst_section() == "strategies"
