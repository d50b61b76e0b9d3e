"""What an operator may say: settings models, their defaults, and errors that name file, line and key."""
