"""One job: its ranks, the lock on its run folder, how it ends; and the loop within."""
