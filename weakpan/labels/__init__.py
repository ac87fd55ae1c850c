"""Pseudo ground truth: one cleaning rule a file, and the pipeline that orders them."""
