"""Images and weak annotations in; samples and targets out."""
