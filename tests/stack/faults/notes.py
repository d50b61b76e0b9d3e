"""What stands below the table of docs/reliability.md."""

from __future__ import annotations

from typing import Final

NOTES: Final = """
## How to read it

* One broker, which is its own controller: no election among replicas is tested here.
* Counters are in the commits' metadata (`kafka.counters: commit_metadata`). Sessions last 2 s, so that a dead
  worker is noticed within the test; with the shipped 10 s recovery after kill -9 takes up to 8 s longer.
* Records written before and under each fault: single events, envelopes, unreadable and empty values in four
  topics, and bursts whose final findings are known beforehand.
* The topic's rows: 40 records that nobody had read when the topic was deleted are gone with it. *Told* is the
  number of partitions for which `lost_before_read` and a critical finding say so.
* Known gaps are not hidden: a row that has one may lose something, and says why. Three are made in the long
  run only: a topic made anew while detect is stopped (not told) or with a log as long as what was read (not
  noticed), and a frozen correlate worker among several (after the rebalance finals may be missing).
* A wrong clock is wall time as Python code reads it (`tests/stack/faults/shifted_clock.py`).

## What is proven elsewhere

* Sinks that refuse, are slow, answer 429, refuse half of a bulk, or die: `tests/stack/test_siem_faults.py`
  on Elasticsearch and OpenSearch. Retention that overtakes a reader, two workers under load, a broker away:
  `tests/stack/test_kafka_detect.py`. A frozen broker: `tests/daemon`.
* correlate's finals, byte for byte, for any number of workers and any arrival:
  `tests/stack/faults/test_correlate_byte_for_byte.py`; that each rule of its discipline and its watermark is
  needed: `test_rules_of_a_batch.py` and `test_rules_of_the_watermark.py` beside it.

Not made yet: a full disk below a store or a broker, and a network that is cut in half.
"""
