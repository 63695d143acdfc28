"""How published data sets name their files: where the depth of an image lies, and which class reads it.

`depth_net.actions.convert` finds data sets by these names; a source that states no unit is read by the class that the
names of its files belong to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from depth_net.model.family import ModelType

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The names of one data set.

    Attributes:
        name: In lower case, as `convert --preset` takes it.
        dataset_name: The class of metric models.
        relative_name: The class of relative models.
        image: Pattern of the end of an image's path; its groups say which depth belongs to it. None where names do not
            tell.
        depth: The same of depth; the group ``scene`` keeps images of one place together.
        max_depth_m: The range that models of this data set are published with.
    """

    name: str
    dataset_name: str
    relative_name: str
    image: str | None
    depth: str
    max_depth_m: float


def _layout(dataset_name: str, image: str | None, depth: str, max_depth_m: float, *, relative: str = "") -> Layout:
    return Layout(
        name=dataset_name.lower().removesuffix("dv2"),
        dataset_name=dataset_name,
        relative_name=relative or dataset_name,
        image=image,
        depth=depth,
        max_depth_m=max_depth_m,
    )


_DRIVE, _KITTI_FRAME = r"(?P<scene>[^/]+_sync)", r"(?P<camera>image_0[23])/{}(?P<frame>\d{{10}})\.{}$"
_VIRTUAL = r"(?P<scene>Scene\d+)/(?P<weather>[^/]+)/frames/{}/(?P<camera>Camera_\d)/{}_(?P<frame>\d+)\.{}$"
_HYPERSIM = r"(?P<scene>ai_\d+_\d+)/images/scene_(?P<camera>cam_\d+)_{}/frame\.(?P<frame>\d+)\.{}$"
_DIODE = r"(?P<scene>.*scene_\d+)/(?P<scan>scan_\d+)/(?P<frame>[^/]+){}$"
_NYU = r"(?P<scene>.*)/{}_(?P<frame>\d+)\.{}$"
_ETH3D = r"(?P<scene>[^/]+)/{}/dslr_images[^/]*/(?P<frame>[^/]+)\.JPG$"
LAYOUTS = (
    _layout(
        "KITTI",
        f"{_DRIVE}/{_KITTI_FRAME.format('data/', '(?:png|jpg)')}",
        f"{_DRIVE}/proj_depth/groundtruth/{_KITTI_FRAME.format('', 'png')}",
        80.0,
    ),
    _layout("VKITTI2", _VIRTUAL.format("rgb", "rgb", "(?:jpg|png)"), _VIRTUAL.format("depth", "depth", "png"), 80.0),
    _layout(
        "Hypersim",
        _HYPERSIM.format("final_[a-z0-9]+", r"(?:tonemap|color)\.(?:jpg|png)"),
        _HYPERSIM.format("geometry_hdf5", r"depth_meters\.hdf5"),
        20.0,
    ),
    _layout("DIODE", _DIODE.format(r"\.png"), _DIODE.format(r"_depth\.npy"), 80.0),
    _layout(
        "NYUDV2",
        _NYU.format("rgb", "(?:jpg|png)"),
        _NYU.format("sync_depth", "png"),
        10.0,
        relative="NYUDV2Relative",
    ),
    _layout("ETH3D", _ETH3D.format("images"), _ETH3D.format("ground_truth_depth"), 80.0),
    _layout("TUM", None, r"/depth/\d{10}\.\d{4,6}\.png$", 10.0),
)
"""All layouts. TUM pairs images and depth by the nearest time, which names alone do not tell."""


def recognise(depths: Iterable[Path], model_type: ModelType) -> str:
    """Return the dataset name that the names of ground-truth files belong to; empty if they belong to none."""
    texts = [path.absolute().as_posix() for path in depths]
    for layout in LAYOUTS:
        if texts and all(re.search(layout.depth, text) for text in texts):
            return layout.relative_name if model_type is ModelType.RELATIVE else layout.dataset_name
    return ""
