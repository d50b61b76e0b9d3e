"""Evidence that leaves the house: signed bundles that verify on another machine, without a database."""
