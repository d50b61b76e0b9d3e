"""A raw topic that is deleted and made again, with records in it that nobody had read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from faults.chain import Chain
from faults.row import Row
from faults.unread import NEW, Unread

Reckon = Callable[[Sequence[Row]], None]


@pytest.mark.claim(
    "a raw topic made anew behind a frozen worker, with a shorter log than was read, is told and read"
)
def test_a_topic_that_was_made_anew_is_told(chain: Callable[..., Chain], reckon: Reckon) -> None:
    unread = Unread(chain(1), read=400)
    worker = unread.scene.workers.detect[0]
    worker.freeze()
    unread.make_anew()
    worker.thaw()
    recovery_s = unread.read_on()
    reckon([unread.row("topic deleted and made again behind a frozen detect", recovery_s)])


@pytest.mark.claim(
    "a raw topic made anew while detect is stopped is told and read, although its commits went too"
)
def test_a_topic_made_anew_behind_a_stopped_worker(chain: Callable[..., Chain], reckon: Reckon) -> None:
    """Kafka deletes a group's commits with their topic: the commits for the other topics tell its old id."""
    unread = Unread(chain(1), read=400)
    unread.scene.workers.stop("detect")
    unread.make_anew()
    unread.scene.workers.start()
    recovery_s = unread.read_on()
    reckon([unread.row("topic deleted and made again while detect is stopped", recovery_s)])


@pytest.mark.claim(
    "a raw topic made anew with a log as long as what was read is told and read from its start"
)
def test_a_topic_made_anew_with_a_log_as_long(chain: Callable[..., Chain], reckon: Reckon) -> None:
    """Offsets cannot tell the two logs apart; the topic's id does."""
    unread = Unread(chain(1), read=NEW)
    worker = unread.scene.workers.detect[0]
    worker.freeze()
    unread.make_anew()
    worker.thaw()
    recovery_s = unread.read_on()
    reckon([unread.row("the same, with a new log as long as what was read", recovery_s)])
