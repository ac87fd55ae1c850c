"""The stages of a run, each alone and restartable: prepare, masks, CAMs, fit, relabel, score, gallery."""
