from __future__ import annotations

from depth_net.config.dataset import AugmentationConfig, DatasetConfig


def test_random_changes_are_off_by_default_as_in_the_reference() -> None:
    assert not AugmentationConfig().enabled


def test_every_split_has_the_reference_normalisation() -> None:
    config = DatasetConfig()

    for split in (config.train_dataset, config.val_dataset, config.test_dataset, config.infer_dataset):
        assert split.augmentation.input_mean == (0.485, 0.456, 0.406)
        assert split.augmentation.crop_size == (518, 518)
