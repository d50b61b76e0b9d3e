"""Detectors: events in, findings out. Pure: no clock, network, Kafka, database or randomness."""
