"""Playbooks: findings to incidents to decided actions. Pure: time, ids and outcomes come in as arguments."""
