"""The Kubernetes API server: a small client over httpx, its names, its rights, what a workload is."""
