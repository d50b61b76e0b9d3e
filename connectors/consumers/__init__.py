"""Who uses a credential: sessions of the database, reads of the vault, mounts of a Kubernetes Secret."""
