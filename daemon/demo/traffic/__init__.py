"""The everyday traffic of the TerraMiner platform: records of four sources, quiet and deterministic."""
