"""Run the whole loop: `python train.py [KEY=VALUE ...]`; the keys are in conf/train.yaml and conf/common.yaml."""

from weakpan.scripts.train import start

if __name__ == "__main__":
    start()
