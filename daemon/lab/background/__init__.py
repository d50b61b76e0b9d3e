"""What goes on all day, one file a source."""
