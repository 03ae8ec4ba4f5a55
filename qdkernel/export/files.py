"""Files of an export: what may be written where, and in which encodings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from qdkernel.core import write_atomically
from qdkernel.errors import ConfigError, RunFolderError
from qdkernel.export.contract import Json

CARD = "README.md"
CARD_MARK = "Written by `qdkernel export`"


def must_be_ours(folder: Path) -> None:
    """Checks that an export may be written to the folder: it is missing, empty, or holds an earlier export.

    Raises:
        RunFolderError: it is a file, or holds something else.
    """
    with translated(folder):
        if folder.exists() and not folder.is_dir():
            raise RunFolderError(f"{folder}: expected a folder for the export, but it is a file; choose another --out")
        if not folder.exists() or not any(folder.iterdir()):
            return
        card = folder / CARD
        if not card.is_file() or CARD_MARK not in card.read_text(encoding="utf-8", errors="replace"):
            raise RunFolderError(f"{folder}: holds files that are not an export; choose an empty folder for --out")


def must_be_records(path: Path, mark: bytes) -> None:
    """Checks that a file may be replaced: it is missing, empty, or has ``mark`` among its first bytes.

    Raises:
        RunFolderError: it is a folder or another file.
    """
    with translated(path):
        if path.is_dir():
            raise RunFolderError(f"{path}: the export cannot be written there: it is a folder; name a file with --out")
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if mark not in file.read(256):
                    raise RunFolderError(f"{path}: exists and is not an export; remove it or choose another --out")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns errors of the file system into ones that name the place."""
    try:
        yield
    except RunFolderError:
        raise
    except OSError as error:
        raise RunFolderError(f"{path}: the export cannot be written there ({error.strerror})") from error


def write_file(path: Path, content: bytes) -> Path:
    """Writes the file in one step, its folder made when missing.

    Raises:
        RunFolderError: it cannot be written.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return path


def jsonl(rows: Iterable[Json]) -> bytes:
    """Rows as JSON lines, UTF-8."""
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
    return "".join(encode(row) + "\n" for row in rows).encode()


def parquet(rows: Sequence[Json]) -> bytes:
    """Rows as a Parquet file.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigError("Parquet files need pyarrow: pip install 'qdkernel[rl]'") from error
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def json_list(rows: Sequence[Json]) -> bytes:
    """Rows as one JSON list, UTF-8."""
    return (json.dumps(list(rows), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


ENCODINGS: Mapping[str, Callable[[Sequence[Json]], bytes]] = {"jsonl": jsonl, "json": json_list, "parquet": parquet}
"""Encoders of rows by the ending of their file."""
