"""Real servers that come as wheels, each a child of this process that never outlives it."""
