"""Ranks, worker processes, the lock on a folder."""
