from __future__ import annotations

import pytest

from depth_net.config.dataset import AugmentationConfig, DatasetConfig, DataSource


def test_random_changes_are_off_by_default_as_in_the_reference() -> None:
    assert not AugmentationConfig().enabled


def test_every_split_has_the_reference_normalisation() -> None:
    config = DatasetConfig()

    for split in (config.train_dataset, config.val_dataset, config.test_dataset, config.infer_dataset):
        assert split.augmentation.input_mean == (0.485, 0.456, 0.406)
        assert split.augmentation.crop_size == (518, 518)


def test_keys_that_a_source_does_not_set_are_not_written() -> None:
    plain = DataSource(dataset_name="NYUDV2", data_file="a.txt")
    stated = DataSource.model_validate({"data_file": "a.txt", "depth_scale": 0.01, "invalid_values": [0, "sky"]})

    assert plain.to_tree() == {"dataset_name": "NYUDV2", "data_file": "a.txt"}
    assert stated.to_tree() == {"data_file": "a.txt", "depth_scale": "0.01", "invalid_values": ["0", "sky"]}
    assert stated.invalid == (0.0, 65535.0)


@pytest.mark.parametrize(
    ("scale", "per_unit"),
    [("kitti", 256), ("1/256", 256), ("0.001", 1000), ("Centimetres", 100), ("tum", 5000), ("2", 0.5)],
)
def test_a_scale_is_a_name_a_number_or_a_fraction(scale: str, per_unit: float) -> None:
    assert DataSource(data_file="a.txt", depth_scale=scale).per_unit == pytest.approx(per_unit)
