"""The life of a rule: draft, shadow, live, retired; what is held back and why; the volume breaker. Pure."""
