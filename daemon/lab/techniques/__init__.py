"""What attackers do: one file a family, each ending in its `TECHNIQUES`."""
