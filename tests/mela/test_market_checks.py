"""mela/market_checks.py: what a scene's instruments allow, by what is known of them."""

from typing import Any

import pytest

from mela.errors import SceneInvalid
from mela.grid import plan_runs
from mela.inference import infer
from mela.instrument import FactOrigin
from mela.market_checks import check_markets
from mela.scene import parse_scene
from tests.mela.catalogue import CATALOGUE
from tests.mela.test_grid import SCENE

TOLD = FactOrigin("told", "an option")


def check(*names: str, facts: dict[str, dict[str, Any]] | None = None, **fields: Any) -> None:
    known = {name: infer(name).with_facts((facts or {}).get(name, {}), TOLD) for name in names}
    scene = parse_scene({**SCENE, "instruments": list(names), **fields})
    plan = plan_runs(scene, CATALOGUE, max_runs=100)
    check_markets(scene, known, has_free_shorts=plan.has_free_shorts)


def test_three_currencies_on_one_account_are_refused() -> None:
    with pytest.raises(SceneInvalid, match=r"quoted in USD \(inferred\) and yahoo:7203.T in"):
        check("yahoo:AAPL", "yahoo:7203.T", "yahoo:VOD.L", mode="together")


def test_pence_are_not_pounds() -> None:
    told = {"yahoo:VOD.L": {"quote": "GBP"}}
    with pytest.raises(SceneInvalid, match="GBp"):
        check("yahoo:BP.L", "yahoo:VOD.L", facts=told, mode="together")


def test_a_class_share_and_another_stock_share_an_account() -> None:
    check("yahoo:BRK-B", "yahoo:AAPL", mode="together")


def test_two_pairs_of_one_quote_share_an_account_and_of_two_do_not() -> None:
    check("binance:BTCBRL", "binance:ETHBRL", mode="together")
    with pytest.raises(SceneInvalid, match="BRL"):
        check("binance:BTCBRL", "binance:ETHUSDT", mode="together")


def test_a_currency_that_nothing_tells_is_asked_for() -> None:
    with pytest.raises(SceneInvalid, match=r"nothing tells what my:X is quoted in; .*--quote"):
        check("yahoo:AAPL", "my:X", mode="together")
    check("yahoo:AAPL", "my:X", facts={"my:X": {"quote": "USD"}}, mode="together")


@pytest.mark.parametrize(
    "name", ["yahoo:BRK-B", "yahoo:OK", "bybit:BTC/USDT:USDT", "binanceusdm:BTCUSDT", "yahoo:ES=F"]
)
def test_a_short_of_a_stock_or_a_contract_needs_no_borrow_rate(name: str) -> None:
    check(name, direction="short")


@pytest.mark.parametrize("name", ["binance:BTCUSDT", "yahoo:BTC-USD", "kraken:BTC/USD"])
def test_a_short_of_coins_states_what_borrowing_costs(name: str) -> None:
    with pytest.raises(SceneInvalid, match=f"{name}, a spot instrument") as refused:
        check(name, direction="short")
    assert refused.value.field == "costs.borrow_rate"
    check(name, direction="short", costs={"borrow_rate": 0})


def test_what_is_told_goes_before_the_name() -> None:
    check("my:X", facts={"my:X": {"kind": "equity"}}, direction="short")
    with pytest.raises(SceneInvalid, match=r"a spot instrument \(inferred\).*--kind"):
        check("my:X", direction="short")
