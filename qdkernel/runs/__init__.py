"""The run folder: database, records, machine facts, resume."""

from qdkernel.runs.conversation_records import Bill, End, FailureCount, Spending, StoredCall, StoredConversation
from qdkernel.runs.folder import RunFolder
from qdkernel.runs.inspection import foreign_content
from qdkernel.runs.machine_facts import MachineFacts, format_accuracy, geometric_mean
from qdkernel.runs.records import Record, elites, source_bytes

__all__ = [
    "Bill",
    "End",
    "FailureCount",
    "MachineFacts",
    "Record",
    "RunFolder",
    "Spending",
    "StoredCall",
    "StoredConversation",
    "elites",
    "foreign_content",
    "format_accuracy",
    "geometric_mean",
    "source_bytes",
]
