"""What the scripts import before they begin to work: ten seconds of a core that tests spend once, see `scripts.py`."""

import weakpan.config.train_checks
import weakpan.job.run
import weakpan.predict.run
import weakpan.stages.report  # noqa: F401
