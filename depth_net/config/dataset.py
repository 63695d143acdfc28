"""Section ``dataset`` of the spec: sources, loaders, crops and augmentation of each split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from depth_net.config.choices import DatasetFamily
from depth_net.config.fields import Search, section, setting

_STEREO: Final = "read by stereo models only"
_ENABLED: Final = ("dataset.train_dataset.augmentation.enabled", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """One annotation file and the class that reads it."""

    dataset_name: str = setting("", "Name of the reader, e.g. NYUDV2 or RelativeMonoDataset.")
    data_file: str = setting("", "Annotation file: one sample per line, image and ground truth.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationConfig:
    """Size and normalisation of the input, and random changes of training images."""

    enabled: bool = setting(False, "Apply the random changes below to training images; off as in the reference.")
    input_mean: tuple[float, ...] = setting((0.485, 0.456, 0.406), "Mean per channel, RGB, of values in 0..1.")
    input_std: tuple[float, ...] = setting((0.229, 0.224, 0.225), "Standard deviation per channel, RGB.")
    crop_size: tuple[int, ...] = setting((518, 518), "Height and width of the input; multiples of 14.", minimum=14)
    do_flip: bool = setting(False, "Flip stereo pairs.", inert=_STEREO)
    h_flip_prob: float = setting(
        0.5,
        "Probability of a horizontal flip.",
        minimum=0.0,
        maximum=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    color_aug_prob: float = setting(
        0.2,
        "Probability of a change of colour.",
        minimum=0.0,
        maximum=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    color_aug_brightness: float = setting(0.4, "Largest relative change of brightness.", minimum=0.0, maximum=1.0)
    color_aug_contrast: float = setting(0.4, "Largest relative change of contrast.", minimum=0.0, maximum=1.0)
    color_aug_saturation: tuple[float, ...] = setting((0.0, 1.4), "Smallest and largest factor of saturation.")
    color_aug_hue_range: tuple[float, ...] = setting((-5 / 180, 5 / 180), "Smallest and largest shift of hue, turns.")
    spatial_aug_prob: float = setting(
        1.0,
        "Probability of a random scale.",
        minimum=0.0,
        maximum=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    min_scale: float = setting(-0.2, "Smallest magnification, as a power of two; never below the crop.")
    max_scale: float = setting(0.4, "Largest magnification, as a power of two; 0 switches it off.")
    yjitter_prob: float = setting(1.0, "Vertical jitter of stereo pairs.", inert=_STEREO)
    gamma: tuple[float, ...] = setting((1.0, 1.0, 1.0, 1.0), "Gamma of stereo pairs.", inert=_STEREO)
    eraser_aug_prob: float = setting(0.5, "Erased rectangles of stereo pairs.", inert=_STEREO)
    stretch_prob: float = setting(0.8, "Stretch of stereo pairs.", inert=_STEREO)
    max_stretch: float = setting(0.2, "Largest stretch of stereo pairs.", inert=_STEREO)
    v_flip_prob: float = setting(
        0.5,
        "Probability of a vertical flip.",
        minimum=0.0,
        maximum=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    hshift_prob: float = setting(0.5, "Horizontal shift of stereo pairs.", inert=_STEREO)
    crop_min_valid_disp_ratio: float = setting(0.0, "Least share of valid disparity in a crop.", inert=_STEREO)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """One split: where its samples lie and how they are loaded."""

    data_sources: tuple[DataSource, ...] = setting((), "Annotation files; several are concatenated in order.")
    batch_size: int = setting(1, "Samples per step and device.", minimum=1)
    workers: int = setting(
        8, "Loader processes, at most; capped by the processors and the size of the split.", minimum=0
    )
    pin_memory: bool = setting(True, "Page-locked memory for copies to a GPU.")
    cache_mb: int = setting(512, "Memory for decoded samples, in MB per process; 0 decodes every time.", minimum=0)
    augmentation: AugmentationConfig = section(AugmentationConfig(), "Size, normalisation and random changes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationConfig:
    """Images for static quantisation."""

    images_dir: str | None = setting(None, "Folder of images.", inert="weight-only quantisation needs no images")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetConfig:
    """All splits and what they share."""

    dataset_name: DatasetFamily = setting(DatasetFamily.MONO, "Family of the data sets; this trainer is monocular.")
    normalize_depth: bool = setting(False, "Rescale each ground truth to 0..1; only for clean pseudo-depth.")
    max_depth: float | None = setting(None, "Largest depth in metres of a metric model.", above=0.0)
    min_depth: float | None = setting(None, "Smallest depth in metres of a metric model.", minimum=0.0)
    max_disparity: int = setting(416, "Largest disparity.", inert=_STEREO)
    baseline: float = setting(0.193001, "Distance of the cameras.", inert=_STEREO)
    focal_x: float = setting(1998.842, "Focal length.", inert=_STEREO)
    train_dataset: SplitConfig = section(SplitConfig(), "Training split.")
    val_dataset: SplitConfig = section(SplitConfig(), "Validation split.")
    test_dataset: SplitConfig = section(SplitConfig(), "Test split, read by evaluate.")
    infer_dataset: SplitConfig = section(SplitConfig(), "Images for inference.")
    quant_calibration_dataset: CalibrationConfig = section(CalibrationConfig(), "Images for calibration.")
