"""Predict photographs with a trained run: `python predict.py run=FOLDER input=FOLDER out=FOLDER [KEY=VALUE ...]`.

The keys are in conf/predict.yaml.
"""

# Worker processes import this file again: whatever is heavy is imported only by the process that predicts.
from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="predict")
def main(composed: DictConfig) -> None:
    """Compose, check, predict."""
    from weakpan.config.predict import to_predict_config
    from weakpan.errors import WeakpanError, one_line
    from weakpan.predict.run import predict
    from weakpan.stages.build import quieten_lightning

    quieten_lightning()
    try:
        predict(to_predict_config(composed))
    except WeakpanError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    from weakpan.config.compose import register
    from weakpan.config.predict import PredictConfig

    register("predict_schema", PredictConfig)
    main()
