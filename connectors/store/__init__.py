"""The database of record: incidents, plans, approvals, proofs, audit, outbox, in SQL."""
