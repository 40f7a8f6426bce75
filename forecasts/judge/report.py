"""The report on a model, in Markdown: its first sentence says whether it beats the linear one."""

from __future__ import annotations

import math

from forecasts.judge.judgement import Judged, Judgement
from forecasts.judge.money import Money
from mela.counts import counted
from mela.instants import from_ms, instant_text
from mela.training import Training

MOST_FEATURES = 15
CONTROL_ERRORS = 3.0


def verdict(judgement: Judgement) -> str:
    """Return the sentence that says whether the model beats the linear one."""
    model, linear = judgement.model, judgement.linear
    name = model.choice.name
    if judgement.is_linear:
        return (
            f"This is the linear model itself ({name}), which others have to beat: rank IC "
            f"{_number(model.over_seeds('rank_ic')[0])}{_earned(model)}."
        )
    ahead, error = judgement.ahead
    does = "beats" if judgement.beats_linear else "does not beat"
    return (
        f"{name} {does} the linear model ({linear.choice.name}): rank IC "
        f"{_number(model.over_seeds('rank_ic')[0])} against "
        f"{_number(linear.over_seeds('rank_ic')[0])} "
        f"(difference {_number(ahead)}, standard error over folds {_number(error)})"
        f"{_earned(model, linear)}."
    )


def report(judgement: Judgement) -> str:
    """Return the report: the verdict, the table, calibration and importance."""
    model = judgement.model
    seeds = counted(len(model.seeds), "seed")
    folds = counted(len(model.seeds[0].folds), "fold")
    parts = [
        verdict(judgement),
        f"Out of fold, {folds}, {seeds}; ± is the deviation over seeds, where there are several.",
        _table(judgement),
        _explained(judgement),
    ]
    if judgement.calibration:
        parts += ["## Calibration", _calibration(judgement)]
    parts += ["## Importance", _importance(judgement), "## By fold", _by_fold(judgement)]
    return "\n\n".join(parts) + "\n"


def card(training: Training, judgement: Judgement, trained_through_ms: int, samples: int) -> str:
    """Return the model card: what it is for, what it was made of, how good it is."""
    names = ", ".join(training.instruments)
    through = instant_text(from_ms(trained_through_ms))
    told = [
        f"# {training.name}",
        verdict(judgement),
        f"- Kind: {training.model.name}, {_params(training)}.",
        f"- Forecasts: the label `{training.label.kind}` of {training.interval} candles of "
        f"{names}; other instruments are forecast as the mean of these.",
        f"- Trained on {samples:,} samples from {instant_text(training.start)}; its last label was "
        f"known at {through}. A scene that starts before that plus the label's span and the "
        "embargo is marked `in_sample`.",
        "- Judged on samples that it was not fitted on. The model that is kept is fitted on all "
        "of them, and judged on none.",
        "- Not for: candles of another interval, prices that are adjusted otherwise "
        f"(`{training.prices}`), or markets unlike those above.",
    ]
    head = "\n\n".join(told[:2]) + "\n\n" + "\n".join(told[2:])
    return head + "\n\n## Report\n\n" + report(judgement).replace("\n## ", "\n### ")


def _table(judgement: Judgement) -> str:
    head = "| model | IC | rank IC | ICIR | AUC | Brier | return | Sharpe | drawdown | trades |"
    rows = [head, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    rows += [
        _row(_label(one), one)
        for one in (judgement.model, judgement.linear, judgement.lightgbm, judgement.control)
    ]
    if judgement.hold is not None:
        rows.append(_money_row("buy and hold", judgement.hold))
    return "\n".join(rows)


def _label(row: Judged) -> str:
    if row.role == "control":
        return f"{row.choice.name}, shuffled labels"
    return f"**{row.choice.name}**" if row.role == "model" else f"{row.choice.name}, {row.role}"


def _row(label: str, row: Judged) -> str:
    scores = [_pair(*row.over_seeds(name)) for name in ("ic", "rank_ic")]
    scores += [_number(row.icir(), 2)]
    scores += [_pair(*row.over_seeds(name)) for name in ("auc", "brier")]
    if row.money:
        scores += [
            _pair(*row.earned("total_return"), digits=3),
            _pair(*row.earned("sharpe"), digits=2),
            _pair(*row.earned("max_drawdown"), digits=3),
            _pair(*row.earned("trades"), digits=0),
        ]
    else:
        scores += ["–"] * 4
    return f"| {label} | {' | '.join(scores)} |"


def _money_row(label: str, money: Money) -> str:
    told = [_number(money.total_return, 3), _number(money.sharpe, 2)]
    told += [_number(money.max_drawdown, 3), str(money.trades)]
    return f"| {label} | – | – | – | – | – | {' | '.join(told)} |"


def _explained(judgement: Judgement) -> str:
    control = judgement.control
    told = [
        "Return, Sharpe and drawdown are after costs, of accounts of equal size, one for each "
        "instrument, over the days that folds test."
    ]
    if judgement.model.money:
        told.append(
            f"Deflated Sharpe ratio {_number(judgement.deflated, 3)} of "
            f"{counted(judgement.trials, 'trial')}: the probability that the model's ratio is "
            "above what the best of so many has by luck."
        )
    count = sum(fold.samples for fold in control.seeds[0].folds)
    found = control.over_seeds("rank_ic")[0]
    if abs(found) > CONTROL_ERRORS / math.sqrt(max(count, 1)):
        told.append(
            f"The control was trained on shuffled labels and still has a rank IC of "
            f"{_number(found)}: labels that overlap make so few independent samples that numbers "
            "of this size mean little."
        )
    return " ".join(told)


def _calibration(judgement: Judgement) -> str:
    rows = ["| forecast | samples | mean forecast | happened |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {one.low:.3f} to {one.high:.3f} | {one.samples:,} | {one.forecast:.3f} "
        f"| {one.happened:.3f} |"
        for one in judgement.calibration
    ]
    return "\n".join(rows)


def _importance(judgement: Judgement) -> str:
    first = "By how much the rank IC falls where a feature's values are exchanged between samples."
    rows = ["| feature | fall |", "| --- | --- |"]
    shown = judgement.importance[:MOST_FEATURES]
    rows += [f"| {name} | {_number(fall)} |" for name, fall in shown]
    return first + "\n\n" + "\n".join(rows)


def _by_fold(judgement: Judgement) -> str:
    rows = ["| fold | samples | rank IC | linear |", "| --- | --- | --- | --- |"]
    pairs = zip(judgement.model.by_fold(), judgement.linear.by_fold(), strict=True)
    folds = judgement.model.seeds[0].folds
    rows += [
        f"| {place + 1} | {folds[place].samples:,} | {_number(mine)} | {_number(its)} |"
        for place, (mine, its) in enumerate(pairs)
    ]
    return "\n".join(rows)


def _earned(model: Judged, linear: Judged | None = None) -> str:
    if not model.money:
        return ""
    own = _number(model.earned("sharpe")[0], 2)
    if linear is None or not linear.money:
        return f", and after costs a Sharpe ratio of {own}"
    other = _number(linear.earned("sharpe")[0], 2)
    return f", and after costs a Sharpe ratio of {own} against {other}"


def _params(training: Training) -> str:
    if not training.model.params:
        return "at its defaults"
    return ", ".join(f"{name} {value}" for name, value in training.model.params.items())


def _pair(mean: float, deviation: float, digits: int = 4) -> str:
    if math.isnan(deviation):
        return _number(mean, digits)
    return f"{_number(mean, digits)} ± {_number(deviation, digits)}"


def _number(value: float, digits: int = 4) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
