"""A scene in words, for who meets its results without having written it. No input or output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mela.counts import counted
from mela.run_terms import RunTerms, default_of
from mela.scene import Scene

FEW_INSTRUMENTS = 6  # that are named; of more the first are, and how many there are
FEW_VALUES = 8
NONE = "none"  # how null is written: a parameter that is left out could mean anything


def scene_in_words(scene: Scene) -> list[str]:
    """Return sentences: what is asked, what is searched, and each term that is no default.

    >>> scene = Scene.model_validate({
    ...     "instruments": ["binance:BTCUSDT"], "interval": "1h",
    ...     "start": "2023-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z",
    ...     "strategy": {"name": "sma_cross", "params": {"fast": 20}},
    ...     "search": {"kind": "grid", "space": {
    ...         "strategy.params.slow": {"from": 60, "to": 100, "step": 20},
    ...         "exits.stop_loss": [None, 0.05]}}})
    >>> for sentence in scene_in_words(scene):
    ...     print(sentence)
    sma_cross (fast 20) on binance:BTCUSDT, 1h candles, 2023-01-01 to 2024-01-01.
    Grid search over slow 60 to 100 by 20; stop_loss none, 0.05. Ranked by sharpe.
    Cash 10000, fee 0.001, slippage 0.0005.
    """
    return [_question(scene), *_searched(scene), _terms(scene)]


def flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested fields by path, as `exits.stop_loss`. An empty part stands for itself.

    >>> flat({"cash": 100, "exits": {"stop_loss": None}})
    {'cash': 100, 'exits.stop_loss': None}
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def spelled(value: Any) -> str:
    """Return a value as people write it: null as none, truth in small letters, lists in a row.

    >>> spelled(None), spelled(True), spelled(0.05), spelled(20.0), spelled([1, None])
    ('none', 'true', '0.05', '20', '1, none')
    """
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {spelled(part)}" for name, part in value.items()) or NONE
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(spelled, value)) or NONE
    return str(value)


def day_or_instant(text: str) -> str:
    """Return an instant's day where it is a midnight, else with a blank in place of the T.

    >>> day_or_instant("2023-01-01T00:00:00Z"), day_or_instant("2023-01-01T09:30:00Z")
    ('2023-01-01', '2023-01-01 09:30:00Z')
    """
    return text[:10] if text.endswith("T00:00:00Z") else text.replace("T", " ")


def _question(scene: Scene) -> str:
    names = scene.instruments[:FEW_INSTRUMENTS]
    more = len(scene.instruments) - len(names)
    instruments = ", ".join(names) + (f" and {more:,} more" if more else "")
    own = dict(scene.strategy.params)
    params = f" ({spelled(own)})" if own else ""
    content = scene.model_dump(mode="json", include={"start", "end"})
    span = f"{day_or_instant(content['start'])} to {day_or_instant(content['end'])}"
    shared = ", one account for all" if scene.mode == "together" else ""
    strategy = f"{scene.strategy.name}{params}"
    return f"{strategy} on {instruments}{shared}, {scene.interval} candles, {span}."


def _searched(scene: Scene) -> list[str]:
    sentences: list[str] = []
    if scene.search is not None:
        search = scene.search.model_dump(mode="json", by_alias=True)
        space = "; ".join(
            f"{path.rpartition('.')[2]} {_axis(axis)}" for path, axis in search["space"].items()
        )
        trials = (
            f", {counted(search['trials'], 'trial')}, seed {search['seed']}"
            if "trials" in search
            else ""
        )
        kind = str(search["kind"])
        sentences.append(f"{kind[:1].upper()}{kind[1:]} search over {space}{trials}.")
    for name, part in (("Validation", scene.validation), ("Holdout", scene.holdout)):
        if part is not None:
            fields = part.model_dump(mode="json", by_alias=True, exclude={"kind"})
            sentences.append(
                f"{name}: {spelled({k: v for k, v in fields.items() if v is not None})}."
            )
    if scene.search is not None:
        least = (
            f" among runs with {counted(scene.min_trades, 'trade')} or more"
            if scene.min_trades
            else ""
        )
        sentences.append(f"Ranked by {scene.rank_by}{least}.")
    return [" ".join(sentences)] if sentences else []


def _axis(axis: Any) -> str:
    if isinstance(axis, Mapping):
        if "from" in axis:
            first, last = spelled(axis["from"]), spelled(axis["to"])
            return f"{first} to {last} by {spelled(axis['step'])}"
        drawn = " on a log scale" if axis.get("log") else ""
        return f"between {spelled(axis['low'])} and {spelled(axis['high'])}{drawn}"
    more = len(axis) - FEW_VALUES
    return spelled(axis[:FEW_VALUES]) + (f" and {more:,} more" if more > 0 else "")


def _terms(scene: Scene) -> str:
    """Return the terms that matter to every run, and those that are no defaults."""
    parts = [f"Cash {spelled(scene.cash)}", f"fee {spelled(scene.costs.fee)}"]
    parts.append(f"slippage {spelled(scene.costs.slippage)}")
    always_shown = {"cash", "costs.fee", "costs.slippage"}
    terms = scene.model_dump(mode="json", include=set(RunTerms.model_fields))
    usual = flat({name: default_of(name) for name in RunTerms.model_fields})
    for path, value in flat(terms).items():
        if path not in always_shown and usual.get(path) != value:
            parts.append(f"{path} {spelled(value)}")
    return f"{', '.join(parts)}."
