"""The scores of an evaluation as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHOWN: Final = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "silog_x100", "d1", "d2", "d3")
_SCENES: Final = 20


def table_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of what `depth_net.paper_scores.PaperScores.document` returns."""
    spaces = document["image_mean"]
    width = max(len("disparity, mean of images"), *map(len, [*document["by_scene"]][:_SCENES]), 0)
    yield _line("", _SHOWN, width)
    for space in spaces:
        yield _line(f"{space}, mean of images", [f"{spaces[space][name]:.4f}" for name in _SHOWN], width)
        yield _line(f"{space}, pooled", [f"{document['pooled'][space][name]:.4f}" for name in _SHOWN], width)
    first = "depth" if "depth" in spaces else "disparity"
    scenes = document["by_scene"]
    if len(scenes) > 1:
        yield f"by scene ({first}, mean of images), {len(scenes)} scenes"
        for scene, values in [*scenes.items()][:_SCENES]:
            numbers = [f"{values[first][name]:.4f}" for name in _SHOWN]
            yield _line(scene, [*numbers, f"{values[first]['num_images']} images"], width)
        if len(scenes) > _SCENES:
            yield f"and {len(scenes) - _SCENES} more scenes in results.json"
    if document["by_distance"]:
        yield "by distance (depth, pooled)"
    for row in document["by_distance"]:
        numbers = [f"{row[name]:.4f}" for name in _SHOWN]
        label = f"{row['from_m']:g} to {row['to_m']:g} m"
        yield _line(label, [*numbers, f"{100 * row['share']:.1f} % of pixels"], width)


def _line(label: str, cells: tuple[str, ...] | list[str], width: int) -> str:
    return f"{label:<{width}}" + "".join(f"  {cell:>10}" for cell in cells)
