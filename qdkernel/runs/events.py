"""Events of a run folder: what happened to the run itself."""

from __future__ import annotations

from qdkernel.runs.kinds import EventKind
from qdkernel.runs.records import Event
from qdkernel.runs.store import RunStore, insert_event
from qdkernel.runs.stored_rows import EventRow


class EventLog:
    """The events of a run; every method may be called from several threads.

    Args:
        store: the database of the run folder.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def add(self, kind: EventKind, text: str) -> None:
        """Commits an event, e.g. that the run stopped, with the reason."""
        with self._store.transaction() as database:
            insert_event(database, kind, text, self._store.elapsed_s)

    def all(self) -> list[Event]:
        """Every event, oldest first."""
        rows = self._store.rows("SELECT at, kind, text, elapsed_s FROM events ORDER BY id")
        return [Event(row.at, row.kind, row.text, row.elapsed_s) for row in map(EventRow.of, rows)]
