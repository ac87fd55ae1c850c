"""The work of a stage on one image: pickled and sent to workers, so free of torch."""
