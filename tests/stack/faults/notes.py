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
* The rows with *told*: 40 records that nobody had read are gone with their topic, or stand before the offset
  that another tool set. *Told* is the number of partitions for which `lost_before_read` and a critical
  finding say so. A topic made anew is known by its id, which the commits for every topic of the group state;
  detect looks once a second, so that a log which is deleted, made again and grown beyond what was read within
  one second is not noticed. Where it is the group's only topic, all commits are gone with it: what a stopped
  detect had not read of it nobody can tell.
* A worker that was frozen and put out of its group ends itself before it acknowledges anything, and states
  that it wrote too late are passed over when its partitions are taken over (`fence.py` and `table.py` of
  `daemon/roles/correlate`). Without that, finals were lost after one of 16 such faults; with it, after none.
* The SIEM's rows: `tests/stack/faults/front.py` stands before a real OpenSearch and makes the fault. The full
  disk is a limit on the size of respond's files (RLIMIT_FSIZE, a write fails with EFBIG), not a full volume.
* A wrong clock is wall time as Python code reads it (`tests/stack/faults/shifted_clock.py`).

## What is proven elsewhere

* Search nodes that are too busy by themselves, killed, read-only, or without templates:
  `tests/stack/test_siem_faults.py` on Elasticsearch and OpenSearch. Retention that overtakes a reader, two
  workers under load, a broker away: `tests/stack/test_kafka_detect.py`. A frozen broker: `tests/daemon`.
* correlate's finals, byte for byte, for any number of workers and any arrival:
  `tests/stack/faults/test_correlate_byte_for_byte.py`; that each rule of its discipline and its watermark is
  needed: `test_rules_of_a_batch.py` and `test_rules_of_the_watermark.py` beside it.

* Rules that are replaced while detect reads: `tests/stack/faults/test_reload_while_reading.py`.

Not made yet: a full disk below a broker, and a network that is cut in half.
"""
