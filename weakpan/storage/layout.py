"""Path rules: where everything of a run lies, and which image ids may become names of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weakpan.basics.errors import DataError


def checked_id(image_id: str, where: object = "", remedy: str = "rename the image") -> str:
    """The id itself, which comes from a list or file of the user's and must not lead out of a folder, on any system.

    Raises:
        DataError: it is no plain file name; begins with where it was found.
    """
    if not image_id or image_id in {".", ".."} or any(c in image_id for c in "/\\\0"):
        found = f"{where}: " if where else ""
        raise DataError(f"{found}image id {image_id!r} is no plain file name; {remedy}")
    return image_id


class _Below:
    """A path below the folder of a layout."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __get__(self, layout: RoundLayout | RunLayout, _: type) -> Path:
        return layout.folder / self._path


@dataclass(frozen=True)
class RoundLayout:
    """Files of one round: the labels that it is trained on, its weights, its record."""

    folder: Path

    labels = _Below("labels")
    """Folder of the pseudo labels that this round's segmenter is trained on."""

    resume = _Below("resume.ckpt")
    """Checkpoint of a training under way; kept until the round is finished."""

    checkpoint = _Below("last.ckpt")
    """Weights after training, and what is needed to build the network again."""

    manifest = _Below("manifest.json")
    """Record of the finished round, written last."""


@dataclass(frozen=True)
class RunLayout:
    """Files of one run."""

    folder: Path

    config = _Below("config.yaml")
    """The configuration that the run was last started with and that was accepted."""

    hydra = _Below(".hydra/hydra.yaml")
    """Hydra's own record, which tells where the command was started."""

    weak_annotations = _Below("weak_annotations.json")
    """Boxes and tags of the training split."""

    masks = _Below("masks")
    """Masks in boxes, one map an image."""

    mask_records = _Below("masks/records")
    """What became of each box, a file an image."""

    audit = _Below("audit")
    """Audits of masks and seeds; those of labels lie in their round."""

    classifier = _Below("classifier")
    """Folder of the crop classifier's checkpoints."""

    classifier_weights = _Below("classifier/last.ckpt")
    """Weights of the trained crop classifier."""

    seeds = _Below("seeds")
    """Seeds, one label map an image, and below it what their source keeps beside them."""

    logs = _Below("logs")
    """CSV logs of every stage."""

    log = _Below("logs/weakpan.log")
    """What all starts of the job have said, with times and levels."""

    wandb_id = _Below("wandb_id.txt")
    """Id of the run at Weights & Biases, the same for every start of the job."""

    metrics = _Below("metrics.json")
    """All numbers of the run."""

    gallery = _Below("gallery")
    """The pictures of the report, one file an image."""

    report = _Below("report.html")
    """All numbers and pictures of the run on one page."""

    def stage(self, name: str, round_index: int = 0) -> Path:
        """Folder with the record of a stage."""
        of_round = {"labels": self.round(round_index).labels, "segmenter": self.round(round_index).folder}
        return of_round.get(name, self.folder / name)

    def round(self, index: int) -> RoundLayout:
        """Folder of a round, counted from 0."""
        return RoundLayout(self.folder / f"round_{index:02d}")

    def rounds(self) -> list[int]:
        """Rounds that are finished, ascending and without gaps."""
        finished: list[int] = []
        while self.round(len(finished)).manifest.is_file():
            finished.append(len(finished))
        return finished
