"""LightningModules around the networks, losses and schedules."""
