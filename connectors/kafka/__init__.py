"""Kafka: whole batches in, confirmed messages out, counters that are written with the offset they cover."""
