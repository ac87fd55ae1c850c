"""The stages of a run, each alone and restartable: prepare, masks, classifier, seeds, fit, relabel, score, gallery."""
