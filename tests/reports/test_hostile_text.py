"""Hostile text in a run: the terminal's views show it and obey none of it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from qdkernel.core import Evaluation, Outcome, Placement, Proposal, RunStatus, parse_cell
from qdkernel.reports import show_cell, show_run, view_text
from qdkernel.reports.progress import _LivePanel, _PlainLines
from qdkernel.runs import EventKind
from tests.fake_runs import add_by_model, kernel, new_run

CELL = parse_cell("packed/512/static/near")
ATTACK = "[/tile] A[k] [link=http://evil]x[/link] \x1b]0;owned\x07 \x9b2J \u202eevil\r over"
SHOWN = "[/tile] A[k] [link=http://evil]x[/link]"


def obeyed(text: str) -> list[str]:
    return [char for char in text if not char.isprintable() and char not in "\n\t"]


def test_markup_in_news_is_shown_as_text_by_the_live_panel() -> None:
    shown = io.StringIO()
    panel = _LivePanel(Console(file=shown, width=200, color_system=None), 100.0, ATTACK)
    status = RunStatus(news=ATTACK, models=ATTACK, stage=ATTACK)
    panel._live.console.print(panel._table(status))
    assert shown.getvalue().count(SHOWN) == 4
    assert obeyed(shown.getvalue()) == []


def test_control_characters_in_news_do_not_reach_a_plain_log(capsys: pytest.CaptureFixture[str]) -> None:
    _PlainLines(100.0).show(RunStatus(news=ATTACK, models=ATTACK, stage=ATTACK))
    written = capsys.readouterr().err
    assert SHOWN in written
    assert obeyed(written) == []


def test_show_prints_hostile_operators_models_ideas_and_sources_as_text(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_by_model(folder, CELL, 90.0, model=ATTACK, operator=ATTACK, idea=ATTACK)
        bad = kernel("bad \x1b[2J")
        number = folder.evaluations.add_proposal(Proposal(bad, ATTACK, ATTACK))
        folder.evaluations.add(number, Evaluation(bad.id, Outcome.COMPILE_ERROR, ATTACK), Placement.NONE, {})
        folder.events.add(EventKind.STOPPED, ATTACK)
        views = view_text(show_run(folder)) + view_text(show_cell(folder, CELL))
    assert SHOWN in views
    assert obeyed(views) == []
