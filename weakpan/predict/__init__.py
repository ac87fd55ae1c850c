"""Use a trained run on photographs: find the weights, predict, write COCO panoptic and pictures."""
