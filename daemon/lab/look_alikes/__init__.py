"""What only looks like an attack: ordinary work of people and machines, one file a source."""
