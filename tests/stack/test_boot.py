"""The whole stack starts at once from warm caches, soon and small."""

from __future__ import annotations

import time

import pytest
from parts.part import PartMissingError
from parts.stack import Stack, resident_bytes
from parts.tested_on import STACK, part_class

BOOT_S = 40.0
MEMORY_BYTES = 3 * 1024**3


@pytest.mark.claim("the whole stack is up within 40 s (warm caches), in less than 3 GB", on=tuple(STACK))
def test_the_whole_stack_is_up_soon_and_small(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        for name in STACK:
            part_class(name)(tmp_path_factory.mktemp(name)).fetch()
    except PartMissingError as error:
        pytest.skip(f"{error}")
    begun = time.monotonic()
    parts = stack.start(STACK)
    took = time.monotonic() - begun
    held = resident_bytes(parts)
    print(f"boot of {len(parts)} parts: {took:.1f} s, {sum(held.values()) / 1024**2:.0f} MB")
    for name, size in held.items():
        print(f"  {name}: {size / 1024**2:.0f} MB")
    assert took <= BOOT_S
    assert sum(held.values()) <= MEMORY_BYTES
