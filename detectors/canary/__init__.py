"""Canaries: what proves one, when one is due, and what is said about one that came or did not."""
