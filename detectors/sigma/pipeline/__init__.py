"""pySigma processing pipelines: files that rewrite rules before they are translated."""
