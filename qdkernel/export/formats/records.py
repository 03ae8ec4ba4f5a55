"""The canonical records themselves, as JSON lines or Parquet, in one file or in a folder with a dataset card."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from qdkernel.errors import ConfigError
from qdkernel.export.contract import Source
from qdkernel.export.files import jsonl, must_be_records, parquet, write_file
from qdkernel.export.rows import RowFormat, Rows
from qdkernel.export.select import chosen, split_by_lineage


@dataclass(frozen=True)
class RecordFormat:
    """A record per evaluation: a file when ``out`` has the format's ending, else a folder with a dataset card.

    Attributes:
        name: as given to ``--to``, and the ending of the files.
        help: one sentence.
    """

    name: str
    help: str

    def write(self, source: Source, out: Path | None) -> list[Path]:
        """Writes the records; see ``Format``."""
        if out is not None and out.suffix != f".{self.name}":
            return RowFormat(self.name, self.help, {"records": _rows}, self.name).write(source, out)
        if source.selection.split is not None:
            raise ConfigError(
                f"--split writes several files: name a folder with --out, without the ending .{self.name}"
            )
        rows = _rows(source)["train"]
        if out is None:
            if self.name == "parquet":
                raise ConfigError("export --to parquet writes a file or folder; name it with --out")
            sys.stdout.write(jsonl(rows).decode())
            return []
        must_be_records(out, b"PAR1" if self.name == "parquet" else b'"schema":"qdkernel.record/')
        return [write_file(out, parquet(rows) if self.name == "parquet" else jsonl(rows))]


def _rows(source: Source) -> Rows:
    kept = chosen(source.records, source.selection.only or "all")
    if not kept:
        raise ConfigError("expected a kernel to export, but the runs hold none that --only admits; try --only all")
    splits = split_by_lineage(kept, source.records, source.selection.split)
    return {split: [record.plain() for record in records] for split, records in splits.items()}


RECORDS = (
    RecordFormat("jsonl", "A record per evaluation, also of failures, as JSON lines (default: on standard output)."),
    RecordFormat("parquet", "The same records as Parquet; needs the extra rl."),
)
