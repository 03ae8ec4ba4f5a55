"""Runs as data for trainers and other programs, and as C files."""

from qdkernel.export.contract import Format, PromptRow, Selection, Source
from qdkernel.export.formats import FORMATS, write_elites
from qdkernel.export.load import open_source
from qdkernel.export.record import ExportRecord, record_schema

__all__ = [
    "FORMATS",
    "ExportRecord",
    "Format",
    "PromptRow",
    "Selection",
    "Source",
    "open_source",
    "record_schema",
    "write_elites",
]
