"""Replies: fences, edit blocks, plans, and what was wrong with them."""

from qdkernel.mutators.llm.replies.edit_errors import Miss, explain
from qdkernel.mutators.llm.replies.edits import apply_edits
from qdkernel.mutators.llm.replies.fences import Definition, definition
from qdkernel.mutators.llm.replies.plan import read_plan
from qdkernel.mutators.llm.replies.reply import Complaint, Reply, read_reply

__all__ = [
    "Complaint",
    "Definition",
    "Miss",
    "Reply",
    "apply_edits",
    "definition",
    "explain",
    "read_plan",
    "read_reply",
]
