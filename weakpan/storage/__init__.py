"""Files, images, checkpoints, manifests and where everything lies."""
