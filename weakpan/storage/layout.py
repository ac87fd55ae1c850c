"""Path rules: where everything of a run lies, and which image ids may become names of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weakpan.basics.errors import DataError


def checked_id(image_id: str, where: object = "", remedy: str = "rename the image") -> str:
    """The id itself, which comes from a list or file of the user's and must not lead out of a folder, on any system.

    Args:
        image_id: to check.
        where: it was found, in front of the message.
        remedy: what to do about it.

    Raises:
        DataError: it is no plain file name.
    """
    if not image_id or image_id in {".", ".."} or any(c in image_id for c in "/\\\0"):
        found = f"{where}: " if where else ""
        raise DataError(f"{found}image id {image_id!r} is no plain file name; {remedy}")
    return image_id


@dataclass(frozen=True)
class RoundLayout:
    """Files of one round: the labels that it is trained on, its weights, its record."""

    folder: Path

    @property
    def labels(self) -> Path:
        """Folder of the pseudo labels that this round's segmenter is trained on."""
        return self.folder / "labels"

    @property
    def resume(self) -> Path:
        """Checkpoint of a training under way; kept until the round is finished."""
        return self.folder / "resume.ckpt"

    @property
    def checkpoint(self) -> Path:
        """Weights after training, and what is needed to build the network again."""
        return self.folder / "last.ckpt"

    @property
    def manifest(self) -> Path:
        """Record of the finished round, written last."""
        return self.folder / "manifest.json"


@dataclass(frozen=True)
class RunLayout:
    """Files of one run."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration that the run was last started with and that was accepted."""
        return self.folder / "config.yaml"

    @property
    def hydra(self) -> Path:
        """Hydra's own record, which tells where the command was started."""
        return self.folder / ".hydra" / "hydra.yaml"

    @property
    def weak_annotations(self) -> Path:
        """Boxes and tags of the training split."""
        return self.folder / "weak_annotations.json"

    @property
    def masks(self) -> Path:
        """Masks in boxes, one map an image."""
        return self.folder / "masks"

    @property
    def mask_records(self) -> Path:
        """What became of each box, a file an image."""
        return self.masks / "records"

    @property
    def annotations(self) -> Path:
        """Boxes and tags, a file an image, until all are there."""
        return self.folder / "annotations"

    @property
    def audit(self) -> Path:
        """Audits of masks and seeds; those of labels lie in their round."""
        return self.folder / "audit"

    def stage(self, name: str, round_index: int = 0) -> Path:
        """Folder with the record of a stage."""
        of_round = {"labels": self.round(round_index).labels, "segmenter": self.round(round_index).folder}
        return of_round.get(name, self.folder / name)

    @property
    def classifier(self) -> Path:
        """Folder of the crop classifier's checkpoints."""
        return self.folder / "classifier"

    @property
    def classifier_weights(self) -> Path:
        """Weights of the trained crop classifier."""
        return self.classifier / "last.ckpt"

    @property
    def seeds(self) -> Path:
        """Seeds, one label map an image, and below it what their source keeps beside them."""
        return self.folder / "seeds"

    def round(self, index: int) -> RoundLayout:
        """Folder of a round, counted from 0."""
        return RoundLayout(self.folder / f"round_{index:02d}")

    def rounds(self) -> list[int]:
        """Rounds that are finished, ascending and without gaps."""
        finished: list[int] = []
        while self.round(len(finished)).manifest.is_file():
            finished.append(len(finished))
        return finished

    @property
    def logs(self) -> Path:
        """CSV logs of every stage."""
        return self.folder / "logs"

    @property
    def log(self) -> Path:
        """What all starts of the job have said, with times and levels."""
        return self.logs / "weakpan.log"

    @property
    def wandb_id(self) -> Path:
        """Id of the run at Weights & Biases, the same for every start of the job."""
        return self.folder / "wandb_id.txt"

    @property
    def metrics(self) -> Path:
        """All numbers of the run."""
        return self.folder / "metrics.json"

    @property
    def gallery(self) -> Path:
        """The pictures of the report, one file an image."""
        return self.folder / "gallery"

    @property
    def report(self) -> Path:
        """All numbers and pictures of the run on one page."""
        return self.folder / "report.html"
