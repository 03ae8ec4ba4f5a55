"""What models write when they are asked for routines: replies, verdicts, estimates, table and picture."""

from qdkernel.study.asking import ask, questions
from qdkernel.study.estimates import eff_at_k, pass_at_k
from qdkernel.study.judging import judge
from qdkernel.study.picture import draw
from qdkernel.study.prompts import prompt
from qdkernel.study.store import Question, Store
from qdkernel.study.table import Row, csv_text, rows_of, table_text

__all__ = [
    "Question",
    "Row",
    "Store",
    "ask",
    "csv_text",
    "draw",
    "eff_at_k",
    "judge",
    "pass_at_k",
    "prompt",
    "questions",
    "rows_of",
    "table_text",
]
