"""The runs of a learning search that are known before it has learned anything."""

from __future__ import annotations

from collections.abc import Sequence

from mela.run import Catalogue
from mela.scene import Scene
from mela.values import ends_of
from mela.variants import Variant, by_group, group_names, group_variants


def groups_of_ends(scene: Scene, catalogue: Catalogue) -> list[Sequence[Variant]]:
    """Return variants of each group that together have both ends of every axis of a space.

    So whatever no single field can tell is checked before the first run, as for other searches.
    Each takes a value of every axis, as runs do: an end alone may be one that no run has.
    returns: of a group's variants those that hold; none where they all break a strategy's rule
    """
    space = scene.search.space if scene.search else {}
    ends = {path: ends_of(axis) for path, axis in space.items()}
    choices = [
        {path: (values[turn % len(values)],) for path, values in ends.items()}
        for turn in range(max(map(len, ends.values()), default=1))
    ]
    choices += [
        {path: (value,)}
        for path, values in ends.items()
        if _is_of_strategy(path)
        for value in values
    ]
    groups: dict[str, list[Variant]] = {name: [] for name in group_names(scene)}
    for choice in choices:
        axes = by_group(choice)
        is_whole = len(choice) == len(ends)
        for name in groups if is_whole else ["strategy"]:
            groups[name] += group_variants(scene, catalogue, name, axes)
    return list(groups.values())


def _is_of_strategy(path: str) -> bool:
    return path.startswith("strategy.")
