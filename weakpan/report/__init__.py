"""Pictures, curves and the page of results that a run leaves behind."""
