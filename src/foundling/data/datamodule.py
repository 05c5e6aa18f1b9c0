"""What a training reads: its batches and a validation split, as a LightningDataModule."""

from typing import Any

from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from foundling.data.loading import BatchOrder, loader


class TrainingData(LightningDataModule):
    """Training batches in the order of `order`, which skips bad batches, and a validation split."""

    tokens_per_step: int  # on average, if the batches' sizes vary

    def __init__(self, training: Dataset[Any], validation: Dataset[Any], steps: int, workers: int) -> None:
        super().__init__()
        self.training, self.validation, self.workers = training, validation, workers
        self.order = BatchOrder(steps)

    def train_dataloader(self) -> DataLoader[Any]:
        return loader(self.training, self.workers, self.trainer, self.order)

    def val_dataloader(self) -> DataLoader[Any]:
        return loader(self.validation, self.workers, self.trainer)
