"""The commands that people start, as functions; train.py, predict.py and make_gt.py in the repository call them.

Where the package is installed they are also `weakpan-train`, `weakpan-predict` and `weakpan-make-gt`, or
`python -m weakpan.scripts.train` and so on.
"""
