"""Section ``dataset`` of the spec: sources, loaders, crops and augmentation of each split."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from typing_extensions import override

from depth_net.config.choices import DatasetFamily, DepthKind, EvalCrop, FolderPart, SplitBy
from depth_net.config.fields import Group, Many, Maybe, Real, Search, Section, Text, Whole, setting

SplitName: TypeAlias = Literal["train", "val", "test", "infer"]
_STEREO: Final = "read by stereo models only"
_ENABLED: Final = ("dataset.train_dataset.augmentation.enabled", (True,))


DEPTH_SCALES: Final = {"metres": 1.0, "millimetres": 1000.0, "centimetres": 100.0, "kitti": 256.0, "tum": 5000.0}
"""Names of a ``depth_scale``, and the stored value of one metre."""
_INVALID_VALUES: Final = {"sky": 65535.0}
"""Names of stored values: the largest one of 16 bits, which rendered data sets write for the sky."""


def stored_per_unit(scale: str) -> float:
    """Return the stored value of one metre (pixel, 1/m) for the text of a ``depth_scale``.

    Raises:
        ValueError: it is neither a positive number, nor a fraction such as 1/256, nor a known name.
    """
    if scale.lower() in DEPTH_SCALES:
        return DEPTH_SCALES[scale.lower()]
    upper, _, lower = scale.partition("/")
    units, stored = float(upper), float(lower or 1)
    if not (0 < units < float("inf") and 0 < stored < float("inf")):
        raise ValueError(scale)
    return stored / units


class DataSource(Section):
    """One annotation file, the class that reads it, and what the class does not know."""

    dataset_name: Text = setting("", "Name of the reader, e.g. NYUDV2 or RelativeMonoDataset.")
    data_file: Text = setting("", "Annotation file: one sample per line, image and ground truth; or a folder of both.")
    depth_scale: Maybe[Text] = setting(
        None, "Metres (pixels, 1/m) per stored value: a number such as 0.001 or 1/256, or the name of one."
    )
    depth_kind: Maybe[DepthKind] = setting(None, "What the values are; unset means what the class says.")
    invalid_values: Many[Text] = setting((), "Stored values without a measurement: numbers, or sky (65535).")
    zero_counts: bool = setting(
        False, "A stored 0 of disparity or inverse depth is measured, infinitely far; else 0 is unknown in every file."
    )
    eval_crop: Maybe[EvalCrop] = setting(None, "Box outside of which values do not count; unset means the class's.")

    part: Maybe[FolderPart] = setting(None, "Scenes of the folder data_file: those of one split; unset means all.")
    split_by: Maybe[SplitBy] = setting(None, "Divide the folder by scene or by single frame; unset means by scene.")

    @property
    def per_unit(self) -> float | None:
        """The stored value of one metre (pixel, 1/m); None where the source does not say.

        Raises:
            ValueError: ``depth_scale`` is neither a positive number nor a known name.
        """
        if self.depth_scale is None:
            return None
        return stored_per_unit(self.depth_scale)

    @property
    def invalid(self) -> tuple[float, ...]:
        """The stored values that do not count.

        Raises:
            ValueError: one is neither a number nor a known name.
        """
        return tuple(_INVALID_VALUES.get(value.lower()) or float(value) for value in self.invalid_values)

    @model_serializer(mode="wrap")
    @override
    def _without_unset_keys(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not set: the container knows two keys only."""
        return {key: value for key, value in dump(self).items() if key == "data_file" or value}


class AugmentationConfig(Section):
    """Size and normalisation of the input, and random changes of training images."""

    enabled: bool = setting(False, "Apply the random changes below to training images; off as in the reference.")
    input_mean: Many[Real] = setting((0.485, 0.456, 0.406), "Mean per channel, RGB, of values in 0..1.")
    input_std: Many[Real] = setting((0.229, 0.224, 0.225), "Standard deviation per channel, RGB.")
    crop_size: Many[Annotated[Whole, Field(ge=14)]] = setting(
        (518, 518), "Height and width of the input; multiples of 14."
    )
    do_flip: bool = setting(False, "Flip stereo pairs.", inert=_STEREO)
    h_flip_prob: Real = setting(
        0.5,
        "Probability of a horizontal flip.",
        ge=0.0,
        le=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    color_aug_prob: Real = setting(
        0.2,
        "Probability of a change of colour.",
        ge=0.0,
        le=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    color_aug_brightness: Real = setting(0.4, "Largest relative change of brightness.", ge=0.0, le=1.0)
    color_aug_contrast: Real = setting(0.4, "Largest relative change of contrast.", ge=0.0, le=1.0)
    color_aug_saturation: Many[Real] = setting((0.0, 1.4), "Smallest and largest factor of saturation.")
    color_aug_hue_range: Many[Real] = setting((-5 / 180, 5 / 180), "Smallest and largest shift of hue, turns.")
    spatial_aug_prob: Real = setting(
        1.0,
        "Probability of a random scale.",
        ge=0.0,
        le=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    min_scale: Real = setting(-0.2, "Smallest magnification, as a power of two; never below the crop.")
    max_scale: Real = setting(0.4, "Largest magnification, as a power of two; 0 switches it off.")
    yjitter_prob: Real = setting(1.0, "Vertical jitter of stereo pairs.", inert=_STEREO)
    gamma: Many[Real] = setting((1.0, 1.0, 1.0, 1.0), "Gamma of stereo pairs.", inert=_STEREO)
    eraser_aug_prob: Real = setting(0.5, "Erased rectangles of stereo pairs.", inert=_STEREO)
    stretch_prob: Real = setting(0.8, "Stretch of stereo pairs.", inert=_STEREO)
    max_stretch: Real = setting(0.2, "Largest stretch of stereo pairs.", inert=_STEREO)
    v_flip_prob: Real = setting(
        0.0,
        "Probability of a vertical flip; it costs accuracy where the camera is upright.",
        ge=0.0,
        le=1.0,
        search=Search(low=0.0, high=1.0, requires=_ENABLED),
    )
    hshift_prob: Real = setting(0.5, "Horizontal shift of stereo pairs.", inert=_STEREO)
    crop_min_valid_disp_ratio: Real = setting(0.0, "Least share of valid disparity in a crop.", inert=_STEREO)


class SplitConfig(Section):
    """One split: where its samples lie and how they are loaded."""

    data_sources: Many[DataSource] = setting((), "Annotation files; several are concatenated in order.")
    batch_size: Whole = setting(1, "Samples per step and device.", ge=1)
    workers: Whole = setting(8, "Loader processes, at most; capped by the processors and the size of the split.", ge=0)
    pin_memory: bool = setting(True, "Page-locked memory for copies to a GPU.")
    cache_mb: Whole = setting(512, "Memory for decoded samples, in MB per process; 0 decodes every time.", ge=0)
    disk_cache_mb: Maybe[Annotated[Whole, Field(ge=0)]] = setting(
        None,
        "Disk space for decoded samples, which runs share, in MB; 0 keeps none, unset means what is free.",
    )
    augmentation: Group[AugmentationConfig] = AugmentationConfig()


class CalibrationConfig(Section):
    """Images for static quantisation."""

    images_dir: Maybe[Text] = setting(None, "Folder of images.", inert="weight-only quantisation needs no images")


class DatasetConfig(Section):
    """All splits and what they share."""

    dataset_name: DatasetFamily = setting(DatasetFamily.MONO, "Family of the data sets; this trainer is monocular.")
    normalize_depth: bool = setting(False, "Rescale each ground truth to 0..1; only for clean pseudo-depth.")
    max_depth: Maybe[Annotated[Real, Field(gt=0.0)]] = setting(None, "Largest depth in metres of a metric model.")
    min_depth: Maybe[Annotated[Real, Field(ge=0.0)]] = setting(None, "Smallest depth in metres of a metric model.")
    max_disparity: Whole = setting(416, "Largest disparity.", inert=_STEREO)
    baseline: Real = setting(0.193001, "Distance of the cameras.", inert=_STEREO)
    focal_x: Real = setting(1998.842, "Focal length.", inert=_STEREO)
    train_dataset: Group[SplitConfig] = SplitConfig()
    val_dataset: Group[SplitConfig] = SplitConfig()
    test_dataset: Group[SplitConfig] = SplitConfig()
    infer_dataset: Group[SplitConfig] = SplitConfig()
    quant_calibration_dataset: Group[CalibrationConfig] = CalibrationConfig()

    def split(self, name: SplitName) -> SplitConfig:
        """Return the section of one split."""
        section: SplitConfig = getattr(self, f"{name}_dataset")
        return section
