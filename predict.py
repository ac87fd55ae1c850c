"""Predict images with a trained run: `python predict.py run=FOLDER input=FOLDER out=FOLDER [KEY=VALUE ...]`.

The keys are in conf/predict.yaml.
"""

from weakpan.scripts.predict import start

if __name__ == "__main__":
    start()
