"""How often proposals repeat each other: groups of equal code, duplicates with their originals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from qdkernel.analysis import Groups, Repetition, compare, operator_and_model, repetition
from qdkernel.core import Arm, CodeHashes, Evaluation, Kernel, Outcome, Placement, Proposal, parse_cell
from qdkernel.reports import show_diff, show_run, view_text
from qdkernel.runs import RunFolder
from tests.fake_runs import add_by_model, add_elite, breed, kernel, new_run, ok

CELL = parse_cell("packed/512/static/near")


def add(folder: RunFolder, subject: Kernel, evaluation: Evaluation, operator: str = "tune") -> None:
    number = folder.evaluations.add_proposal(Proposal(subject, operator, ""))
    folder.evaluations.add(number, evaluation, Placement.NONE, {})


def add_equal(folder: RunFolder, tag: str, original: Kernel, operator: str = "tune") -> Kernel:
    """A duplicate that was recognised by its normal form, so never compiled."""
    made = kernel(tag)
    form = ok(original, CELL, 1.0).hashes.normal
    found = Evaluation(made.id, Outcome.DUPLICATE, duplicate_of=original.id, hashes=CodeHashes(form))
    add(folder, made, found, operator)
    return made


def by_arm(folder: RunFolder) -> dict[Arm, Repetition]:
    return repetition(folder.evaluations.records(), operator_and_model)


def test_different_kernels_are_groups_of_one(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        for gflops in (1.0, 2.0):
            add_elite(folder, CELL, gflops)
        pair = Groups((1, 1))
        assert by_arm(folder) == {("schedule", ""): Repetition(2, pair, pair, pair)}


def test_a_duplicate_is_in_the_groups_of_the_kernel_it_equals_whoever_proposed_that(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        original = add_elite(folder, CELL, 1.0)
        add_elite(folder, CELL, 2.0, operator="tune")
        add_equal(folder, "respelt", original)
        again = Evaluation(original.id, Outcome.DUPLICATE, duplicate_of=original.id)  # the same source, to the byte
        add(folder, original, again)
        groups = Groups((2, 1))
        assert by_arm(folder)[Arm("tune")] == Repetition(3, groups, groups, groups)


def test_duplicates_of_duplicates_lead_to_the_original(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        first = add_elite(folder, CELL, 1.0)
        second = add_equal(folder, "second", first)
        third = add_equal(folder, "third", second)
        add(folder, third, Evaluation(third.id, Outcome.DUPLICATE, duplicate_of=third.id))
        [found] = repetition(folder.evaluations.records(), lambda _: "all").values()
    assert found.machine_codes == found.assemblies == Groups((4,))


def test_equal_machine_code_may_have_another_assembly_and_form(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        first, other = add_elite(folder, CELL, 1.0), kernel("while instead of for")
        found = dataclasses.replace(ok(other, CELL, 1.0), outcome=Outcome.DUPLICATE, duplicate_of=first.id)
        equal = dataclasses.replace(found.hashes, object=ok(first, CELL, 1.0).hashes.object)
        add(folder, other, dataclasses.replace(found, hashes=equal), "schedule")
        assert by_arm(folder) == {("schedule", ""): Repetition(2, Groups((1, 1)), Groups((1, 1)), Groups((2,)))}


def test_a_kernel_that_never_compiled_is_a_proposal_in_no_group_of_code(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        broken = kernel("broken")
        add(folder, broken, Evaluation(broken.id, Outcome.COMPILE_ERROR, hashes=CodeHashes("f" * 64)))
        add(folder, broken, Evaluation(broken.id, Outcome.DUPLICATE, duplicate_of=broken.id))
        refused = kernel("refused")
        add(folder, refused, Evaluation(refused.id, Outcome.POLICY_VIOLATION))
        assert by_arm(folder) == {("tune", ""): Repetition(3, Groups((2,)), Groups(), Groups())}


def test_duplicates_that_point_at_each_other_or_at_nothing_are_in_no_group(tmp_path: Path) -> None:
    a, b, c = (kernel(tag) for tag in "abc")
    with new_run(tmp_path) as folder:
        for subject, of in ((a, b), (b, a), (c, kernel("never seen"))):
            add(folder, subject, Evaluation(subject.id, Outcome.DUPLICATE, duplicate_of=of.id))
        assert by_arm(folder) == {("tune", ""): Repetition(3, Groups(), Groups(), Groups())}


def test_a_kernel_lost_at_first_is_known_by_its_later_evaluation(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        made = kernel("made")
        add(folder, made, Evaluation(made.id, Outcome.LOST))
        add(folder, made, ok(made, CELL, 1.0))
        assert by_arm(folder)[Arm("tune")].machine_codes == Groups((2,))


def test_the_three_largest_groups_have_their_share() -> None:
    assert Groups((4, 3, 1, 1, 1)).share_of_largest == pytest.approx(0.8)
    assert Groups((2,)).share_of_largest == 1.0
    assert Groups().share_of_largest is None


def test_operators_are_told_apart_by_their_model_and_ordered_by_proposals(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_by_model(folder, CELL, 1.0, "small")
        for gflops in (1.0, 2.0):
            add_by_model(folder, CELL, gflops, "big")
        found = by_arm(folder)
    assert [(arm, each.proposals) for arm, each in found.items()] == [(("edit", "big"), 2), (("edit", "small"), 1)]


def test_a_run_shows_the_shares_of_those_with_enough_proposals_and_of_all(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        original = add_elite(folder, CELL, 1.0)
        for number in range(14):
            add_equal(folder, f"respelt {number}", original)
        for number in range(6):
            made = kernel(f"new {number}")
            add(folder, made, ok(made, CELL, 1.0))
        lines = view_text(show_run(folder)).splitlines()
    at = lines.index("repetition")
    assert [line.split() for line in lines[at + 2 : at + 5]] == [
        ["tune", "20", "7", "7", "7", "80%", "80%"],
        ["schedule", "1", "1", "1", "1"],
        ["all", "21", "7", "7", "7", "81%", "81%"],
    ]
    assert lines[at + 5].startswith("largest 3: share of the proposals with such code")


def test_a_comparison_tells_how_much_each_run_repeated_itself(tmp_path: Path) -> None:
    paths = []
    for name, copies in (("one", 1), ("other", 3)):
        with new_run(tmp_path) as folder:
            for number in range(4):
                original = add_elite(folder, CELL, 1.0 + number)
            for number in range(copies):
                add_equal(folder, f"{name} {number}", original)
            paths.append(folder.path)
    with RunFolder.open(paths[0]) as first, RunFolder.open(paths[1]) as second:
        text = view_text(show_diff(compare(first, second)))
    groups = "in the 3 largest groups of equal code"
    assert [" ".join(line.split()) for line in text.splitlines() if line.startswith("repeated")] == [
        f"repeated 80% of 5 {groups} 80% of 5 {groups}"  # at equal cost: of the other's seven only five count
    ]


def test_a_run_of_few_proposals_does_not_speak_of_repetition(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 19)
        text = view_text(show_run(folder))
    assert "repetition" not in text
