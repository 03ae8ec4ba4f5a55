"""Tables of a run: the numbers that matter, in plain text outside a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from qdkernel.core import Duel, Evaluation, Outcome, Placement, Proposal, parse_cell
from qdkernel.errors import UnknownName
from qdkernel.llm import CallFailed, Completion, FailureKind, TokenUsage
from qdkernel.reports import print_view, show_cell, show_run
from qdkernel.reports.run import summarize, view_text
from qdkernel.runs import End, EventKind
from tests.fake_runs import (
    MACHINE,
    UNMEASURED,
    add_by_model,
    add_elite,
    ask,
    assignment,
    breed,
    kernel,
    new_run,
    ok,
    timed_as,
)

CELL = parse_cell("packed/512/static/near")
OTHER = parse_cell("none/scalar/serial/none")


def test_a_run_shows_machine_budget_outcomes_and_its_cells_fastest_first(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, OTHER, 1.0, operator="seed", idea="by the definition")
        best = add_elite(folder, CELL, 90.0)
        number = folder.evaluations.add_proposal(Proposal(kernel("bad"), "tune", ""))
        folder.evaluations.add(number, Evaluation(kernel("bad").id, Outcome.WRONG), Placement.NONE, {})
        folder.events.add(EventKind.STOPPED, "3 evaluations spent")
        text = view_text(show_run(folder))
    assert f"run       {folder.path.name}\n" in text
    assert "problem   dgemm (float64)\nmachine   Imaginary 9000, 2 threads, gcc 12.2.0\n" in text
    assert "peaks     peak 108.0 GFLOP/s, triad 24.0 GB/s\nbaseline  OpenBLAS 0.3.34, 91.9 GFLOP/s\n" in text
    assert "used      3 evaluations, 0 s\nstopped   3 evaluations spent\noutcomes  ok 2, wrong 1\n" in text
    assert "cells     2 of 320 reachable filled (1%)\nQD score  86.3 GFLOP/s" in text
    assert (
        "best      85.4 GFLOP/s, 0.929 [0.920, 0.938] of OpenBLAS 0.3.34, 79% of peak, in packed/512/static/near"
        in text
    )
    rows = [line.split() for line in text.splitlines() if "/" in line.split(" ")[0]]
    assert rows[0][:8] == [
        "packed/512/static/near",
        "85.4",
        "0.929",
        "[0.920,",
        "0.938]",
        "79%",
        best.id[:8],
        "schedule:",
    ]
    assert rows[1][0] == "none/scalar/serial/none"


def test_a_run_that_has_nothing_yet_is_shown(tmp_path: Path) -> None:
    with new_run(tmp_path, machine=UNMEASURED) as folder:
        text = view_text(show_run(folder))
    assert "outcomes  none yet" in text
    assert "cells     0 of 320 reachable filled (0%)" in text


def test_only_the_top_cells_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 120)
        summary = summarize(folder)
        text = view_text(show_run(folder, top=4))
    assert f"fastest cells ({len(summary.held) - 4} more)" in text
    objectives = [record.evaluation.objective or 0 for _, record in summary.ranked]
    assert objectives == sorted(objectives, reverse=True)
    assert summary.qd_score == pytest.approx(sum(objectives))


def test_bandwidth_bound_problems_show_gbytes_and_the_share_of_triad(tmp_path: Path) -> None:
    with new_run(tmp_path, {**MACHINE, "bandwidth_bound": True}) as folder:
        add_elite(folder, CELL, 90.0)
        text = view_text(show_run(folder))
    assert "GB/s" in text
    assert "3.1 GB/s (13% of triad), in packed" in text
    [row] = [line.split() for line in text.splitlines() if line.startswith("packed")]
    assert row[6:8] == ["3.1", "13%"]


def test_numbers_survive_a_narrow_window(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, parse_cell("cache+register/512/dynamic/near"), 90.0)
        text = view_text(show_run(folder), width=80)
    assert max(map(len, text.splitlines())) <= 80
    [row] = [line for line in text.splitlines() if line.startswith("cache+register/512/dynamic/near ")]
    assert all(number in row for number in ("85.4", "0.929", "[0.920, 0.938]", "79%"))


def test_a_cell_shows_source_lineage_and_timings(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        naive = add_elite(folder, OTHER, 1.0, operator="seed", idea="by the definition")
        made = kernel("winner")
        number = folder.evaluations.add_proposal(Proposal(made, "tune", "kc 384", (naive.id,)))
        evaluation = ok(made, CELL, 90.0, duel=Duel(naive.id, 1.05, 1.03, 1.07))
        folder.evaluations.add(number, evaluation, Placement.IMPROVED, {})
        text = view_text(show_cell(folder, CELL))
    assert f"kernel      {made.id}\n" in text
    assert "simd        512: 512-bit FMA x24 in dgemm\n" in text
    assert f"duel        1.050 [1.030, 1.070] times {naive.id[:8]}, the incumbent then\n" in text
    assert "m=768 n=768 k=768" in text
    assert "3 x 4" in text
    assert text.index("kc 384") < text.index("by the definition")
    assert text.endswith(made.source)


def test_a_cell_shows_the_energy_of_a_call_or_why_it_is_not_known(tmp_path: Path) -> None:
    subject = kernel("measured")
    found = ok(subject, CELL, 80.0)
    measured = timed_as(found, tuple(replace(each, joules=0.25) for each in found.timings))
    with new_run(tmp_path / "silent") as folder:
        add_elite(folder, CELL, 80.0)
        text = view_text(show_cell(folder, CELL))
        assert "not known: a machine that reports no energy" in text
        assert "GFLOP/J" not in text
    with new_run(tmp_path / "told", {**MACHINE, "energy": ""}) as folder:
        number = folder.evaluations.add_proposal(Proposal(subject, "tune", ""))
        folder.evaluations.add(number, measured, Placement.NEW, {})
        text = view_text(show_cell(folder, CELL))
    assert "not known" not in text
    assert "mJ a call" in text
    (row,) = (line.split() for line in text.splitlines() if line.strip().startswith("m=768"))
    assert row[-2:] == ["250", f"{1e-9 * 2 * 768**3 / 0.25:.2f}"]


def test_a_run_with_models_shows_what_they_cost_and_what_each_operator_earned(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, OTHER, 1.0, operator="seed")
        add_by_model(folder, CELL, 50.0, "big", tokens=3000, cost=0.25)
        add_by_model(folder, CELL, 60.0, "big", tokens=1000, cost=0.25, placement=Placement.IMPROVED)
        add_by_model(folder, OTHER, 0.5, "small", tokens=500, cost=0.0, placement=Placement.NOT_ADDED)
        unread = ask(folder, assignment("edit"), "small", Completion("prose", "stop", 90, 10))
        folder.conversations.end(unread, End.NOTHING, "no code")
        failed = folder.conversations.add(assignment("plan"), "big")
        folder.conversations.fail_call(
            folder.conversations.add_call(failed, 0, ()), CallFailed(FailureKind.SERVER, "500", 4)
        )
        folder.conversations.end(failed, End.FAILED, "500")
        lines = view_text(show_run(folder)).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("models"))
    assert [" ".join(line.split()) for line in lines[at : at + 3]] == [
        "models 8 requests (1 call failed), 4,600 tokens (4,140 in, 460 out), $0.5000, 1,533 tokens per proposal",
        "big: 6 requests (1 call failed), 4,000 tokens (3,600 in, 400 out), $0.5000, 2,000 tokens per proposal",
        "small: 2 requests, 600 tokens (540 in, 60 out), 600 tokens per proposal",
    ]
    rows = [line.split() for line in lines[lines.index("operators") + 2 : lines.index("failures of models")]]
    assert rows == [
        ["edit", "big", "2", "2", "100%", "2", "1", "0", "0"],
        ["seed", "1", "100%", "1", "1"],
        ["edit", "small", "2", "1", "100%", "0", "0", "1", "0"],
        ["plan", "big", "1", "0", "1"],
        [],
    ]
    failures = [line.split(maxsplit=3) for line in lines[lines.index("failures of models") + 2 :]]
    assert failures == [["big", "server", "1", "500"], ["small", "unreadable", "1", "no code"]]


def test_failures_show_the_words_of_the_last_one_as_printable_text_and_estimates_as_such(tmp_path: Path) -> None:
    usage = TokenUsage(900, 100, 0.0, estimated_tokens=1000)
    with new_run(tmp_path) as folder:
        for text in ("first", "the [/red] end\x1b[31m"):
            failed = folder.conversations.add(assignment("plan"), "big")
            call = folder.conversations.add_call(failed, 0, ())
            folder.conversations.fail_call(call, CallFailed(FailureKind.EMPTY, text, 1, usage))
            assert folder.conversations.get(failed).calls[0].estimated_tokens == 1000
        shown = view_text(show_run(folder))
    assert "2,000 tokens (1,800 in, 200 out; 2,000 of them estimated)" in shown
    assert "big    empty      2  the [/red] end\ufffd[31m\n" in shown


def test_a_run_without_models_does_not_speak_of_them(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 10)
        text = view_text(show_run(folder))
    assert "models" not in text
    assert "operators" not in text


def test_a_cell_shows_the_model_its_conversation_and_how_often_it_was_timed(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        naive = add_elite(folder, OTHER, 1.0, operator="seed", idea="by the definition")
        made = add_by_model(folder, CELL, 50.0, "big", idea="pack B\x1b[31m", parents=(naive.id,))
        for _ in range(2):
            folder.evaluations.add_remeasurement(2, ok(made, CELL, 51.0))
        text = view_text(show_cell(folder, CELL))
    assert "model       big, conversation 1, 1 turn, 1,000 tokens, $0.0100\n" in text
    assert "timed       3 times; all of them count\n" in text
    rows = [line.split() for line in text.splitlines() if line.strip().startswith((made.id[:8], naive.id[:8]))]
    assert [row[3:] for row in rows] == [["edit", "big", "pack", "B\ufffd[31m"], ["seed", "by", "the", "definition"]]


def test_an_empty_cell_is_told(tmp_path: Path) -> None:
    with (
        new_run(tmp_path) as folder,
        pytest.raises(UnknownName, match=r"the cell packed/512/static/near of .* is empty"),
    ):
        show_cell(folder, CELL)


def test_what_a_model_wrote_is_neither_markup_nor_a_terminal_command(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 9.0, idea="[red]tile[/red] [/nothing] \x1b]0;owned\x07\nnext line")
        text = view_text(show_run(folder))
        view_text(show_cell(folder, CELL))
    assert "[red]tile[/red] [/nothing] \ufffd]0;owned\ufffd next line" in text


def test_a_pipe_gets_plain_text_of_full_width(tmp_path: Path) -> None:
    out = io.StringIO()
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 9.0, idea="a rather long idea that an eighty column table would have to cut somewhere")
        print_view(show_run(folder), out)
    assert "would have to cut somewhere\n" in out.getvalue()
    assert "\x1b" not in out.getvalue()
