"""The run folder: database, records, machine facts, resume."""

from qdkernel.runs.conversation_records import (
    Bill,
    CallFailure,
    FailureCount,
    Spending,
    StoredCall,
    StoredConversation,
)
from qdkernel.runs.evaluations import Evaluated
from qdkernel.runs.folder import RunFolder, new_folder
from qdkernel.runs.kinds import End, EventKind
from qdkernel.runs.machine_classes import class_folder, runs_in
from qdkernel.runs.machine_facts import MachineFacts, format_conditions
from qdkernel.runs.machine_record import (
    BaselineRecord,
    CompilerRecord,
    MachineRecord,
    PeaksRecord,
    SizeSpeed,
    read_machine_record,
    write_machine_record,
)
from qdkernel.runs.records import Event, Record, elites, source_bytes

__all__ = [
    "BaselineRecord",
    "Bill",
    "CallFailure",
    "CompilerRecord",
    "End",
    "Evaluated",
    "Event",
    "EventKind",
    "FailureCount",
    "MachineFacts",
    "MachineRecord",
    "PeaksRecord",
    "Record",
    "RunFolder",
    "SizeSpeed",
    "Spending",
    "StoredCall",
    "StoredConversation",
    "class_folder",
    "elites",
    "format_conditions",
    "new_folder",
    "read_machine_record",
    "runs_in",
    "source_bytes",
    "write_machine_record",
]
