"""Windows in memory beside the table: trusted only for the very bytes in it, and bounded."""

from __future__ import annotations

from daemon.roles.correlate.windows import Windows, memory_of
from detectors.sigma.correlation import Correlator
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationRule, Identity
from detectors.sigma.window import Window

IDENTITY = Identity("c", None, "Many", "", "high", (), (), (), (), 1, None, "c.yml", 1)
RULE = CorrelationRule(IDENTITY, "event_count", ("a",), (), {"a": ()}, 10.0, "gte", 5, False)


def window(number: int) -> Window:
    made = Window()
    correlator = Correlator(RULE)
    correlator.step(made, [Match("c", "a", (), f"e{number}", 1.0, "plain", "low", (), "kim")], 0.0)
    correlator.flush(made)
    return made


def test_a_window_is_used_again_only_for_the_bytes_that_the_table_holds() -> None:
    windows, one, other = Windows(), window(1), window(2)
    windows.keep((0, "k"), one.dump(), one)
    assert windows.read((0, "k"), one.dump()) is one
    assert windows.read((0, "k"), other.dump()).to_json() == other.to_json()
    assert windows.read((1, "k"), one.dump()) is not one


def test_windows_used_longest_ago_make_room() -> None:
    kept = [window(number) for number in range(3)]
    values = [item.dump() for item in kept]
    windows = Windows(most=memory_of(values[0]) * 2)
    for number in (0, 1):
        windows.keep((0, str(number)), values[number], kept[number])
    windows.read((0, "0"), values[0])
    windows.keep((0, "2"), values[2], kept[2])
    assert [windows.read((0, str(n)), values[n]) is kept[n] for n in (0, 2)] == [True, True]
    assert windows.read((0, "1"), values[1]) is not kept[1]
    windows.clear()
    assert windows.read((0, "0"), values[0]) is not kept[0]
