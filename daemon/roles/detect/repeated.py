"""An exact, bounded memory of event ids: it counts what comes again, and drops nothing."""

from __future__ import annotations

from collections import OrderedDict


class RepeatedIds:
    """The last `capacity` ids, least recently seen first out.

    Ids of a batch become certain with the next one: `forget_batch` takes back the ids of a batch that was not
    committed and will be read again, so that its events are counted as accepted, not as repeated.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._fresh: list[str] = []

    def begin_batch(self) -> None:
        """The batch before is committed: its ids stay."""
        self._fresh.clear()

    def forget_batch(self) -> None:
        """The batch before was not committed: its ids go."""
        for event_id in self._fresh:
            self._seen.pop(event_id, None)
        self._fresh.clear()

    def seen(self, kind: str, event_id: str) -> bool:
        """Return whether this id of this source kind was seen before, and remember it."""
        if not self._capacity:
            return False
        if self._seen.get(event_id) == kind:
            self._seen.move_to_end(event_id)
            return True
        self._seen[event_id] = kind
        self._fresh.append(event_id)
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return False

    def __len__(self) -> int:
        return len(self._seen)
