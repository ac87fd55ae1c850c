"""What boxes and tags tell about pixels: Grad-CAM label maps and masks in boxes."""
