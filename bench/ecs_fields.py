"""The field set that the conformance check reads, out of `generated/ecs/ecs_flat.yml` of elastic/ecs.

Run `python bench/ecs_fields.py ecs_flat.yml[.gz] > tests/connectors/ecs/data/ecs_fields.json`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml


def extract(flat: dict[str, Any]) -> dict[str, Any]:
    """Return type by field, array fields, allowed values, and event.type by event.category."""
    allowed = {
        name: sorted(value["name"] for value in field["allowed_values"])
        for name, field in flat.items()
        if field.get("allowed_values")
    }
    allowed |= {
        name: sorted(field["expected_values"]) for name, field in flat.items() if field.get("expected_values")
    }
    return {
        "allowed": allowed,
        "expected": {
            value["name"]: sorted(value["expected_event_types"])
            for value in flat["event.category"]["allowed_values"]
        },
        "arrays": sorted(name for name, field in flat.items() if "array" in field["normalize"]),
        "fields": {name: field["type"] for name, field in sorted(flat.items())},
    }


def main() -> None:
    """Read the file named on the command line, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    path: Path = parser.parse_args().file
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    json.dump(extract(yaml.safe_load(data)), sys.stdout, indent=0, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
