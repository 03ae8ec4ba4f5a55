"""``qdkernel study``: replies, verdicts, a table and a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qdkernel.commands.search.session import say
from qdkernel.config import ModelConfig, StudyConfig, environment_models, load_study
from qdkernel.core import write_atomically
from qdkernel.errors import ConfigError, RunFolderError
from qdkernel.plots import picture
from qdkernel.problems import find_problem
from qdkernel.study import Row, Store, ask, csv_text, draw, judge, questions, rows_of, table_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def study(path: Path, out: Path | None, overrides: Sequence[str], replay: Path | None) -> int:
    """Runs a study or goes on with it; see ``qdkernel study --help``."""
    config = load_study(path, overrides)
    for problem in config.problems:
        find_problem(problem)
    folder = out or Path("studies") / path.stem
    with Store(folder) as store:
        store.settle("judge.json", {"judge": dict(config.judge), "seed": config.seed}, "choose another --out")
        if replay is not None:
            models = _take_replies(store, replay, config)
        else:
            found = _models(config)
            models = [model.name for model in found]
            ask(config, found, store, say)
        judge(config, store, say)
        rows = rows_of(config, models, store)
        if not rows:
            raise ConfigError(f"{folder}: expected a reply that could be judged, but there is none yet")
        print(table_text(rows), end="")
        _write(folder, rows)
    return 0


def _models(config: StudyConfig) -> tuple[ModelConfig, ...]:
    models = environment_models(os.environ) if config.models == "environment" else config.models
    if not models:
        raise ConfigError(
            "study: expected a model, but none is listed and the environment describes none; set QDKERNEL_BASE_URL and "
            "QDKERNEL_MODEL, list models, or give --replay"
        )
    return models


def _take_replies(store: Store, replay: Path, config: StudyConfig) -> list[str]:
    """The models of another study, whose replies are taken over where this one asks for them."""
    if not (replay / "replies.jsonl").is_file():
        raise RunFolderError(f"{replay}: expected the folder of a study, but it holds no replies.jsonl")
    with Store(replay) as recorded:
        models = sorted({question.model for question in recorded.replies})
        wanted = {question for model in models for question in questions(config, model)}
        for question in sorted(wanted & recorded.replies.keys() - store.replies.keys()):
            store.take_reply(question, recorded.replies[question])
    return models


def _write(folder: Path, rows: Sequence[Row]) -> None:
    """``table.txt``, ``table.csv`` and ``study.png``."""

    def drawn(figure: Figure) -> None:
        passing, speed = figure.subplots(1, 2, sharey=True)
        draw(rows, passing, speed)
        figure.tight_layout()

    inches = (12, 2.5 + 0.45 * len({row.problem for row in rows}))
    files = {
        "table.txt": table_text(rows).encode(),
        "table.csv": csv_text(rows).encode(),
        "study.png": picture(inches, drawn),
    }
    for name, content in files.items():
        write_atomically(folder / name, content)
        print(f"{name.rpartition('.')[0]:8} {folder / name}")
