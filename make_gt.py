"""Make one stage alone: `python make_gt.py stage=NAME run=FOLDER [KEY=VALUE ...]`; keys are in conf/make_gt.yaml."""

from weakpan.scripts.make_gt import start

if __name__ == "__main__":
    start()
