"""live.brokers.alpaca: alpaca-py against the replay's trading account, over loopback."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from live.brokers.protocol import (
    BrokerBusy,
    BrokerFill,
    BrokerOrder,
    BrokerRefused,
    IdUsed,
    LinkNotice,
    Unanswered,
)
from tests.live.brokers.asking import (
    COIN,
    FROM,
    SESSION,
    STOCK,
    ask,
    order,
    run,
    settled,
)


@pytest.fixture
def server(replay):
    made = replay()
    order(made, "play", **{"from": FROM, "speed": 60})
    return made


def test_an_order_is_taken_filled_and_found_by_its_client_order_id(server) -> None:
    async def act(broker) -> Any:
        taken = await broker.submit(ask())
        filled = await settled(broker, "a-1", "filled")
        return (
            taken,
            filled,
            await broker.fills(0),
            await broker.positions(),
            await broker.account(),
        )

    taken, filled, [fill], [position], account = run(server, act)
    assert (taken.client_order_id, taken.state, taken.units) == ("a-1", "accepted", 0.5)
    assert filled.broker_order_id == taken.broker_order_id == fill.broker_order_id
    assert (filled.filled_units, filled.average_price) == (0.5, fill.price)
    assert (fill.client_order_id, fill.units, fill.fee) == ("a-1", 0.5, 0.0)
    assert fill.fill_id == f"{taken.broker_order_id}/0.5"
    assert (position.instrument, position.units) == (COIN, 0.5)  # Alpaca writes BTCUSDT there
    assert account.cash == pytest.approx(100_000 - 0.5 * fill.price)
    assert account.is_paper
    assert not account.is_blocked
    low, high = 42_000, 43_000  # of BTCUSDT in that hour
    assert low < fill.price < high


def test_an_unknown_client_order_id_is_not_an_error(server) -> None:
    assert run(server, lambda broker: broker.lookup("never-sent")) is None


def test_a_client_order_id_stays_used_after_its_order_was_cancelled(server) -> None:
    order(server, "trading", hold=True)

    async def act(broker) -> BrokerOrder:
        taken = await broker.submit(ask())
        assert [each.client_order_id for each in await broker.open_orders()] == ["a-1"]
        await broker.cancel(taken.broker_order_id)
        with pytest.raises(IdUsed, match="client_order_id must be unique"):
            await broker.submit(ask())
        assert await broker.open_orders() == []
        return await broker.lookup("a-1")

    assert run(server, act).state == "cancelled"


def test_what_is_no_longer_open_cannot_be_cancelled(server) -> None:
    async def act(broker) -> None:
        taken = await broker.submit(ask())
        await settled(broker, "a-1", "filled")
        with pytest.raises(BrokerRefused, match='order is already in "filled" state') as refused:
            await broker.cancel(taken.broker_order_id)
        assert (refused.value.code, refused.value.status) == (42210000, 422)

    run(server, act)


@pytest.mark.parametrize(
    ("asked", "code", "status", "words"),
    [
        ({"units": 500.0}, 40310000, 403, "insufficient balance for USDT"),
        ({"side": "sell"}, 40310000, 403, "insufficient balance for BTC"),
        ({"good_for": "day"}, 42210000, 422, "invalid crypto time_in_force"),
        ({"instrument": "alpaca:NOSUCH/USD"}, 42210000, 422, "asset"),
        ({"units": 0.0}, 42210000, 422, "qty must be > 0"),
    ],
)
def test_alpacas_refusals_come_with_their_codes(server, asked, code, status, words) -> None:
    async def act(broker) -> None:
        with pytest.raises(BrokerRefused, match=words) as refused:
            await broker.submit(ask(**asked))
        assert (refused.value.code, refused.value.status) == (code, status)
        assert await broker.lookup("a-1") is None

    run(server, act)


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"units": 5_000.0}, 40310000, "insufficient buying power"),
        ({"side": "sell", "units": 1.5}, 42210000, "fractional orders cannot be sold short"),
        ({"units": 1.5, "good_for": "gtc"}, 42210000, "fractional orders must be DAY orders"),
    ],
)
def test_stocks_have_refusals_of_their_own(server, asked, code, words) -> None:
    order(server, "play", **{"from": SESSION, "speed": 60})

    async def act(broker) -> None:
        with pytest.raises(BrokerRefused, match=words) as refused:
            await broker.submit(ask(**{"instrument": STOCK, "units": 10.0} | asked))
        assert refused.value.code == code

    run(server, act)


def test_a_stock_can_be_sold_short_and_its_day_order_expires_at_the_close(server) -> None:
    order(server, "play", **{"from": SESSION, "speed": 1000})
    order(server, "trading", symbol="AAPL", times=0)

    async def act(broker) -> Any:
        await broker.submit(ask("s-1", "sell", 10.0, instrument=STOCK))
        await settled(broker, "s-1", "filled")
        far = ask("s-2", "buy", 10.0, instrument=STOCK, kind="limit", limit_price=1.0)
        await broker.submit(far)
        [position] = await broker.positions()
        order(server, "jump", seconds=7 * 3600)
        return position, await settled(broker, "s-2", "expired")

    position, expired = run(server, act)
    assert position.units == -10.0
    assert expired.filled_units == 0.0


def test_an_answer_that_never_comes_leaves_the_order_unknown_and_it_is_there(server) -> None:
    order(server, "faults", path="/alpaca/v2/orders", method="POST", status=None, is_done=True)

    async def act(broker) -> BrokerOrder:
        with pytest.raises(Unanswered):
            await broker.submit(ask())
        return await broker.lookup("a-1")

    assert run(server, act).client_order_id == "a-1"


def test_an_answer_that_comes_too_late_leaves_the_order_unknown(server) -> None:
    order(
        server,
        "faults",
        path="/alpaca/v2/orders",
        method="POST",
        status=200,
        delay_s=1.5,
    )

    async def act(broker) -> float:
        began = time.monotonic()
        with pytest.raises(Unanswered):
            await broker.submit(ask())
        return time.monotonic() - began

    assert run(server, act, answer_s=0.3) < 1.0


def test_a_server_error_on_an_order_is_no_answer_but_on_a_question_it_is_a_busy_broker(
    server,
) -> None:
    order(server, "faults", path="/alpaca/v2/", status=504, body="{}", times=2)

    async def act(broker) -> None:
        with pytest.raises(Unanswered, match="504"):
            await broker.submit(ask())
        with pytest.raises(BrokerBusy, match="504"):
            await broker.positions()

    run(server, act)


def test_a_server_that_is_not_there_has_taken_nothing(server) -> None:
    async def act(broker) -> None:
        server.shutdown()
        server.server_close()
        with pytest.raises(BrokerBusy):
            await broker.submit(ask())

    run(server, act)


def test_a_429_is_obeyed_without_another_request(server) -> None:
    order(
        server,
        "faults",
        path="/alpaca/v2/orders",
        status=429,
        body='{"code":42910000,"message":"rate limit exceeded"}',
        headers={"Retry-After": "1"},
    )

    async def act(broker) -> int:
        with pytest.raises(BrokerBusy) as busy:
            await broker.submit(ask())
        assert busy.value.retry_after_s == 1.0
        sent = len(server.requests)
        with pytest.raises(BrokerBusy, match="asked to wait"):
            await broker.submit(ask())
        assert len(server.requests) == sent
        await asyncio.sleep(1.0)
        return (await broker.submit(ask())).units

    assert run(server, act) == 0.5


def test_a_keys_own_limit_of_requests_is_kept(server) -> None:
    order(server, "account", key="replay", per_minute=3)

    async def act(broker) -> None:
        for _ in range(3):
            await broker.positions()
        with pytest.raises(BrokerBusy) as busy:
            await broker.positions()
        assert busy.value.retry_after_s == 1.0

    run(server, act)


def test_a_blocked_account_says_so(server) -> None:
    order(server, "account", key="replay", cash=500.0, is_blocked=True)
    account = run(server, lambda broker: broker.account())
    assert (account.cash, account.is_blocked, account.why) == (500.0, True, "trading_blocked")


async def hear(
    broker, act: Callable[[], Any], enough: Callable[[list[Any]], bool], since_ms: int = 0
) -> list[Any]:
    """Listen, act once when the stream has caught up, and return what came until it is enough."""
    heard: list[Any] = []
    acted = False
    async for update in broker.updates(since_ms):
        heard.append(update)
        if not acted and isinstance(update, LinkNotice) and update.kind == "caught_up":
            acted = True
            done = act()
            if asyncio.iscoroutine(done):
                await done
        if acted and enough(heard):
            return heard
    return heard


def states(heard: list[Any]) -> list[str]:
    return [each.state for each in heard if isinstance(each, BrokerOrder)]


def fills(heard: list[Any]) -> list[BrokerFill]:
    return [each for each in heard if isinstance(each, BrokerFill)]


def test_updates_tell_partial_fills_as_they_come_with_the_ids_that_rest_gives(server) -> None:
    order(server, "trading", shares=[0.4, 0.35, 0.25], gap_s=2.0)

    async def act(broker) -> Any:
        ended = lambda heard: "filled" in states(heard)  # noqa: E731
        heard = await hear(broker, lambda: broker.submit(ask()), ended)
        return heard, await broker.fills(0)

    heard, told_by_rest = run(server, act)
    assert states(heard) == ["accepted", "partly_filled", "partly_filled", "filled"]
    assert [fill.units for fill in fills(heard)] == [0.2, 0.175, 0.125]
    assert [fill.fill_id for fill in fills(heard)] == [fill.fill_id for fill in told_by_rest]
    assert len({fill.fill_id for fill in fills(heard)}) == 3


def test_an_order_can_be_rejected_after_it_was_taken(server) -> None:
    order(server, "trading", reject=True)

    async def act(broker) -> list[Any]:
        return await hear(
            broker, lambda: broker.submit(ask()), lambda heard: "rejected" in states(heard)
        )

    heard = run(server, act)
    assert fills(heard) == []
    assert heard[-1].why == "Alpaca says rejected"


def test_a_fill_may_come_after_the_cancellation_and_updates_twice(server) -> None:
    order(server, "trading", fill_after_cancel=0.3, doubled=True)

    async def act(broker) -> list[Any]:
        async def submit_and_cancel() -> None:
            taken = await broker.submit(ask())
            await settled(broker, "a-1", "accepted")
            await broker.cancel(taken.broker_order_id)

        return await hear(broker, submit_and_cancel, lambda heard: len(fills(heard)) == 2)

    heard = run(server, act)
    first, second = fills(heard)
    assert first == second
    assert first.units == 0.15
    assert heard.index(first) > [getattr(each, "state", "") for each in heard].index("cancelled")


def test_what_happened_while_the_stream_was_cut_comes_from_rest(server) -> None:
    async def act(broker) -> list[Any]:
        async def cut_and_trade() -> None:
            order(server, "streams", kind="cut", stream="updates", seconds=0.5)
            await broker.submit(ask())
            await settled(broker, "a-1", "filled")

        def back(heard: list[Any]) -> bool:
            kinds = [each.kind for each in heard if isinstance(each, LinkNotice)]
            return kinds.count("caught_up") == 2

        return await hear(broker, cut_and_trade, back)

    heard = run(server, act)
    assert {fill.client_order_id for fill in fills(heard)} == {"a-1"}
    assert states(heard)[-1] == "filled"
    connects = [path for path in server.requests if path == "/alpaca/stream"]
    assert len(connects) < 15


def test_a_stream_that_says_nothing_of_an_order_is_mute_and_made_again(server) -> None:
    async def act(broker) -> list[Any]:
        async def mute_and_trade() -> None:
            order(server, "streams", kind="mute", stream="updates")
            await broker.submit(ask())

        return await hear(broker, mute_and_trade, lambda heard: "filled" in states(heard))

    heard = run(server, act)
    [mute] = [each for each in heard if isinstance(each, LinkNotice) and each.kind == "mute"]
    assert mute.is_alarm
    assert [fill.units for fill in fills(heard)] == [0.5]


def test_fills_before_an_instant_are_left_out(server) -> None:
    async def act(broker) -> Any:
        await broker.submit(ask("a-1"))
        first = await settled(broker, "a-1", "filled")
        await asyncio.sleep(0.05)  # three seconds of replayed time
        await broker.submit(ask("a-2"))
        await settled(broker, "a-2", "filled")
        return await broker.fills(first.at_ms + 1), await broker.fills(first.at_ms)

    later, both = run(server, act)
    assert [fill.client_order_id for fill in later] == ["a-2"]
    assert [fill.client_order_id for fill in both] == ["a-1", "a-2"]


def test_cancelling_all_leaves_no_open_order(server) -> None:
    order(server, "trading", hold=True, times=3)

    async def act(broker) -> Any:
        for number in ("a-1", "a-2", "a-3"):
            await broker.submit(ask(number))
        before = await broker.open_orders()
        await broker.cancel_all()
        return before, await broker.open_orders()

    before, after = run(server, act)
    assert [each.client_order_id for each in before] == ["a-1", "a-2", "a-3"]
    assert after == []
