"""The demo many times: first attack event to detection, containment and proof, and detect's memory.

Run: ``python bench/demo_delay.py --runs 20 [--json]``. Prints median, worst and each target beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from datetime import datetime

import psutil

TARGET_PROVEN_S = 10.0
TARGET_RSS_MB = 250.0


def detect_rss(parent: int) -> float:
    """Return the resident memory of the demo's detect role in MB, 0 when it does not run."""
    try:
        for child in psutil.Process(parent).children(recursive=True):
            if child.cmdline()[1:5] == ["-m", "daemon", "run", "detect"]:
                return child.memory_info().rss / 1e6
    except psutil.Error:
        return 0.0
    return 0.0


def one() -> dict[str, float | str | bool | None]:
    """Play once and return the delays in seconds, the grade and the greatest memory of detect in MB."""
    command = [sys.executable, "-m", "daemon", "demo", "--once", "--json", "--no-browser"]
    begun = time.monotonic()
    rss = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        while process.poll() is None:
            rss = max(rss, detect_rss(process.pid))
            time.sleep(0.2)
        text = process.stdout.read() if process.stdout else ""
    document = json.loads(text)
    at = {k: datetime.fromisoformat(v).timestamp() if v else None for k, v in document["timeline"].items()}
    first = at["first_event"] or 0.0
    delays = {k: None if v is None else v - first for k, v in at.items() if k != "first_event"}
    grade = (document["proof"] or {}).get("grade")
    whole = time.monotonic() - begun
    return {**delays, "whole_run": whole, "rss_mb": rss, "grade": grade, "ok": document["ok"]}


def main() -> None:
    """Play `--runs` times and print the table or the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs = [one() for _ in range(options.runs)]
    rows = {}
    for name in ("detected", "contained", "proven", "whole_run", "rss_mb"):
        values = sorted(float(run[name]) for run in runs if run[name] is not None)
        rows[name] = {"median": statistics.median(values), "worst": values[-1], "measured": len(values)}
    report = {
        "runs": options.runs,
        "grade_a": sum(run["grade"] == "A" for run in runs),
        "every_fact_held": sum(run["ok"] is True for run in runs),
        "figures": rows,
        "targets": {"proven_worst_s": TARGET_PROVEN_S, "rss_worst_mb": TARGET_RSS_MB},
    }
    if options.json:
        print(json.dumps(report))
        return
    good = report["every_fact_held"]
    print(f"{options.runs} runs, {report['grade_a']} proven with grade A, every fact held in {good}")
    for name, row in rows.items():
        print(f"{name:<10} median {row['median']:7.1f}  worst {row['worst']:7.1f}")
    print(f"targets: proven worst <= {TARGET_PROVEN_S:g} s, rss_mb worst <= {TARGET_RSS_MB:g}")


if __name__ == "__main__":
    main()
