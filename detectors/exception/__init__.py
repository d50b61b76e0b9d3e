"""Exceptions: what a site says is known and no alert, for whom, by whose word and until when. Pure."""
