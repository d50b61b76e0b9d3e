"""The outside: bytes in, documents and calls out. Each folder is one kind of outside system."""
