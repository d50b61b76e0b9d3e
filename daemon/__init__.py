"""The running thing: roles, command line, pages, health, and the wiring where everything meets."""
