"""Sigma: rules loaded through pySigma, compiled to Python, and correlations as pure state machines."""
