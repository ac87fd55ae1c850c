"""The learning rate of an epoch does not depend on how many ranks came before."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from weakpan.basics.errors import RunError
from weakpan.callbacks.resumable_fit import KeepSchedule
from weakpan.training.schedules import poly_factor

EPOCHS = 4


class Line(pl.LightningModule):
    """One weight, and a poly schedule over the whole fit as that of the networks."""

    def __init__(self, sequential=False):
        super().__init__()
        self.sequential = sequential
        self.layer = torch.nn.Linear(1, 1)
        self.rates = []

    def training_step(self, batch, _):
        self.rates.append((self.current_epoch, self.optimizers().param_groups[0]["lr"]))
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self):
        steps = int(self.trainer.estimated_stepping_batches)
        optimiser = torch.optim.SGD(self.parameters(), lr=1.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: poly_factor(step, steps, 0.9, 0.0))
        if self.sequential:
            first = torch.optim.lr_scheduler.LinearLR(optimiser)
            schedule = torch.optim.lr_scheduler.SequentialLR(optimiser, [first, schedule], [steps // 4])
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def fit(folder, batches, epochs_now, resume=None, sequential=False):
    """Rates by epoch of a fit of EPOCHS epochs that ends early, and its checkpoint."""
    module = Line(sequential)
    stop = pl.Callback()

    def end_early(trainer, _):
        trainer.should_stop = trainer.current_epoch + 1 >= epochs_now

    stop.on_train_epoch_end = end_early
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=EPOCHS, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[KeepSchedule(), stop], default_root_dir=folder,
    )  # fmt: skip
    data = DataLoader(TensorDataset(torch.ones(batches, 1)), batch_size=1)
    trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    trainer.save_checkpoint(folder / "resume.ckpt")
    return module.rates


@pytest.mark.parametrize(("before", "after"), [(4, 8), (8, 4), (6, 6), (6, 5)])
def test_a_fit_goes_on_where_its_epochs_end(tmp_path, before, after):
    whole = fit(tmp_path, after, EPOCHS)
    fit(tmp_path, before, 2)
    rest = fit(tmp_path, after, EPOCHS, resume=tmp_path / "resume.ckpt")
    assert {epoch for epoch, _ in rest} == {2, 3}
    assert [rate for _, rate in rest] == pytest.approx([rate for epoch, rate in whole if epoch >= 2])


def test_a_schedule_that_cannot_be_moved_goes_on_with_as_many_ranks_and_is_refused_with_others(tmp_path):
    whole = fit(tmp_path, 4, EPOCHS, sequential=True)
    fit(tmp_path, 4, 2, sequential=True)
    rest = fit(tmp_path, 4, EPOCHS, resume=tmp_path / "resume.ckpt", sequential=True)
    assert [rate for _, rate in rest] == pytest.approx([rate for epoch, rate in whole if epoch >= 2])
    fit(tmp_path, 4, 2, sequential=True)
    with pytest.raises(RunError, match=r"SequentialLR stands at step 8 and would have to go on from 16.*as many ranks"):
        fit(tmp_path, 8, EPOCHS, resume=tmp_path / "resume.ckpt", sequential=True)
