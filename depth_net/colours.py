"""Depth as colours, with one meaning in every picture: near is warm (bright in maps without warm colours), far is cold.

A scale stands beside each map: metres for metric depth, near and far for disparity, which has no unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import numpy.typing as npt

from depth_net.config.choices import ColourMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    ImageArray = npt.NDArray[np.uint8]
    """RGB, shape (H, W, 3)."""
    DepthArray = npt.NDArray[np.float32]
    MaskArray = npt.NDArray[np.bool_]

_SPECTRAL: Final = (
    (94, 79, 162),
    (50, 136, 189),
    (102, 194, 165),
    (171, 221, 164),
    (230, 245, 152),
    (255, 255, 191),
    (254, 224, 139),
    (253, 174, 97),
    (244, 109, 67),
    (213, 62, 79),
    (158, 1, 66),
)
"""Cynthia Brewer's diverging eleven-class scheme, from far to near."""
_OF_OPENCV: Final = {
    ColourMap.TURBO: cv2.COLORMAP_TURBO,
    ColourMap.MAGMA: cv2.COLORMAP_MAGMA,
    ColourMap.INFERNO: cv2.COLORMAP_INFERNO,
    ColourMap.PLASMA: cv2.COLORMAP_PLASMA,
    ColourMap.VIRIDIS: cv2.COLORMAP_VIRIDIS,
}
_BACKGROUND: Final = 24
_TICKS: Final = 5
_OUTLIERS: Final = 1.0
"""Per cent of the values at each end that do not stretch the colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Which values have which colours.

    Attributes:
        low: Smallest value with a colour of its own.
        high: Largest one; not below ``low``.
        in_metres: Depth in metres, of which the smallest is near; else disparity, of which the largest is.
        colours: The colour map.
    """

    low: float
    high: float
    in_metres: bool
    colours: ColourMap = ColourMap.SPECTRAL

    def paint(self, values: DepthArray, valid: MaskArray | None = None) -> ImageArray:
        """Return a map as RGB, shape (H, W, 3); black where it is not valid or not finite."""
        known = np.isfinite(values) if valid is None else np.isfinite(values) & valid
        share = (np.where(known, values, self.low) - self.low) / ((self.high - self.low) or 1.0)
        near = 1 - share if self.in_metres else share
        picture = palette(self.colours)[np.rint(np.clip(near, 0, 1) * 255).astype(np.uint8)]
        picture[~known] = 0
        return picture

    def labels(self) -> tuple[str, ...]:
        """Return the texts of the scale from far to near."""
        if not self.in_metres:
            return ("far", "near")
        digits = 2 if self.high - self.low < _TICKS else 1
        return tuple(f"{value:.{digits}f} m" for value in np.linspace(self.high, self.low, _TICKS))


def scale_of(
    values: DepthArray, valid: MaskArray | None, *, in_metres: bool, colours: ColourMap, limits: Sequence[float] = ()
) -> Scale:
    """Return the scale that spans the valid values of a map, but for 1 % at both ends, or the given limits."""
    known = values[np.isfinite(values) if valid is None else np.isfinite(values) & valid]
    low, high = limits or (np.percentile(known, (_OUTLIERS, 100 - _OUTLIERS)) if known.size else (0.0, 1.0))
    return Scale(low=float(low), high=float(high), in_metres=in_metres, colours=colours)


def palette(colours: ColourMap) -> ImageArray:
    """Return 256 colours from far to near, shape (256, 3)."""
    levels = np.arange(256, dtype=np.uint8)
    if colours is ColourMap.GREY:
        return np.repeat(levels[:, None], 3, axis=1)
    if colours in _OF_OPENCV:
        coloured = np.asarray(cv2.applyColorMap(levels[:, None], _OF_OPENCV[colours]), dtype=np.uint8)
        return coloured.reshape(256, 3)[:, ::-1]
    anchors = np.array(_SPECTRAL, dtype=np.float64)
    place = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(place, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def bar(scale: Scale, height: int) -> ImageArray:
    """Draw a scale of ``height`` pixels, far at the top, with its texts to the right."""
    size = text_size(height)
    labels = scale.labels()
    wide = max(cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0] for label in labels)
    thick, gap = max(6, round(24 * size)), max(3, round(10 * size))
    picture = np.full((height, thick + wide + 3 * gap, 3), _BACKGROUND, dtype=np.uint8)
    rows = np.linspace(0, 255, height).astype(np.uint8)
    picture[:, gap : gap + thick] = palette(scale.colours)[rows][:, None]
    letter = cv2.getTextSize("0", cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][1]
    count = len(labels) if height > 2 * letter * len(labels) else 2
    shown = [labels[round(at)] for at in np.linspace(0, len(labels) - 1, count)]
    for label, row in zip(shown, np.linspace(letter + 1, height - 2, count), strict=True):
        write(picture, label, (2 * gap + thick, round(row)), size)
    return picture


def title(text: str, width: int, height: int) -> ImageArray:
    """Draw a line of text above a column that is ``width`` wide, for a picture ``height`` high."""
    size = text_size(height)
    wide, letter = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0]
    size = size * min(1.0, (width - 4) / wide) if wide else size
    strip = np.full((2 * letter + 2, width, 3), _BACKGROUND, dtype=np.uint8)
    write(strip, text, (2, round(1.5 * letter) + 1), max(size, 0.1))
    return strip


def text_size(height: int) -> float:
    """Return the scale of letters for a picture of a height in pixels."""
    return min(2.0, max(0.35, height / 800))


def write(picture: ImageArray, text: str, place: tuple[int, int], size: float) -> None:
    """Write white letters into a picture, their lower left corner at ``place`` (x, y)."""
    thickness = max(1, round(1.5 * size))
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), thickness, cv2.LINE_AA)


def beside(pictures: Sequence[ImageArray]) -> ImageArray:
    """Put pictures side by side; lower ones are filled up at the top."""
    height = max(picture.shape[0] for picture in pictures)
    padded = [
        np.pad(picture, ((height - picture.shape[0], 0), (0, 0), (0, 0)), constant_values=_BACKGROUND)
        for picture in pictures
    ]
    return np.hstack(padded)
