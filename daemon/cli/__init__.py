"""The command line: one file a command; a command's libraries load only when it runs."""
