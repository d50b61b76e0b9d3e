"""SIEM targets: one file a target, each confirms every item."""
