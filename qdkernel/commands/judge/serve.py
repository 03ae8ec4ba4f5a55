"""``qdkernel serve``: the judge as a service for a trainer on another machine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qdkernel.config import Config, dump_config, load_config
from qdkernel.core import one_line
from qdkernel.errors import ConfigError, QdkernelError, RunFolderError
from qdkernel.problems import problem_label
from qdkernel.runs import RunFolder, read_machine_record, write_machine_record
from qdkernel.search import RunEnvironment, check_names, open_environment, recorded_baseline

if TYPE_CHECKING:
    from qdkernel.serve import Journal

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")


def serve(
    path: Path,
    host: str,
    port: int,
    token_file: Path | None,
    shape: str,
    archive: Path | None,
    journal: Path | None,
    max_queue: int,
    overrides: Sequence[str],
) -> int:
    """Judges kernels over HTTP until it is stopped."""
    _check_installed()
    from qdkernel.rewards import find_shape
    from qdkernel.serve import Journal, RunRecorder, Service, Settings, check_address, serve_until_stopped

    config = load_config(path, overrides)
    check_names(config)
    find_shape(shape)
    settings = Settings(host=host, port=port, token=_token(token_file), shape=shape, max_queue=max_queue)
    check_address(host, settings.token)
    with contextlib.ExitStack() as stack:
        book = Journal(_journal_path(journal, archive, config))
        stack.callback(book.close)
        folder = stack.enter_context(_open_archive(archive)) if archive and (archive / "run.db").exists() else None
        environment = stack.enter_context(open_environment(config, _say, _known_baseline(config, book, folder)))
        book.set_meta({"facts": write_machine_record(environment.facts())})
        if folder is None and archive is not None:
            folder = stack.enter_context(_new_archive(archive, config, environment))
        recorder = RunRecorder(environment, folder) if folder is not None else None
        serve_until_stopped(Service(environment, book, recorder, max_queue), settings, _say)
    _say("stopped; jobs that waited go on when it is started again with the same journal")
    return 0


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise QdkernelError(f"serve needs {', '.join(missing)}; pip install 'qdkernel[serve]'")


def _token(file: Path | None) -> str:
    from qdkernel.rewards import TOKEN_VARIABLE

    if file is None:
        return os.environ.get(TOKEN_VARIABLE, "")
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file {file} cannot be read ({error}); expected a file with one token") from error
    if not token:
        raise ConfigError(f"--token-file {file} is empty; expected a token")
    return token


def _journal_path(journal: Path | None, archive: Path | None, config: Config) -> Path:
    if journal is not None:
        return journal
    return archive / "journal.db" if archive is not None else Path(f"serve-{problem_label(config.problem)}.db")


def _open_archive(path: Path) -> RunFolder:
    return RunFolder.open(path, writable=True)


def _new_archive(path: Path, config: Config, environment: RunEnvironment) -> RunFolder:
    return RunFolder.create(path, problem_label(config.problem), dump_config(config), environment.facts(), exact=True)


def _known_baseline(config: Config, journal: Journal, folder: RunFolder | None) -> tuple[float, ...]:
    """The baseline's speeds that earlier verdicts refer to; none for a new journal.

    Raises:
        RunFolderError: journal or archive are of another machine, problem, size or number of threads.
    """
    stored = journal.meta("facts")
    sources = [(str(journal.path), read_machine_record(stored))] if stored else []
    if folder is not None:
        sources.insert(0, (str(folder.path), folder.machine))
    known: tuple[float, ...] = ()
    for name, facts in sources:
        speeds = recorded_baseline(facts, config)
        if speeds is None:
            raise RunFolderError(
                f"{name} was made on another machine, or for another problem, sizes, threads or accuracy, than the "
                "configuration asks for here; its speeds do not compare: name another"
            )
        known = known or speeds
    return known


def _say(text: str) -> None:
    print(f"qdkernel: {one_line(text)}", file=sys.stderr, flush=True)
