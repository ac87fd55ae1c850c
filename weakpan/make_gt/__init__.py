"""The stages of label making, each alone, restartable and shared over processes and machines."""
