"""Runs as data for trainers and other programs, and as C files."""

from qdkernel.export.c_files import write_elites
from qdkernel.export.contract import Format, PromptRow, Selection, Source
from qdkernel.export.load import open_source
from qdkernel.export.record import ExportRecord, record_schema
from qdkernel.export.registry import FORMATS

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
