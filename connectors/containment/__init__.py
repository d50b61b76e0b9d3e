"""Containments: one file a verb (quarantine of a workload, denial in the mesh). This release ships none."""
