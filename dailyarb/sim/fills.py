"""What our orders would have met on a real or recorded book: paper, replay venues, backtest.

Theory. A recording does not know of us, so nothing here may invent liquidity:

1. An order arrives after a latency; a crossing one is then held, as the venue holds it.
2. A taker meets what the book shows at the end of the hold, level by level, within its limit. What
   it took stays taken: more comes only as far as the level grows, or vanishes and returns.
3. A resting order stands behind all that its level showed on arrival. Prints at its price shorten
   the queue first. It fills from what a print leaves over, from prints beyond its price, and from
   opposite liquidity beyond its price that came once the real queue there was gone, and stayed. If
   it stands there when we want out, we were filled: no cancel saves an order that was run over.
4. A print fills at most its own size, a level at most what it shows, over all our orders.
5. Where rivals are assumed, they have their share of each of these first.
6. A cancel travels as long as an order and may come too late; a held order cannot be cancelled.

Everything is in UP coordinates inside: there is one book per market, and an order for DOWN at p is
the opposite order for UP at 1 - p. Instants are nanoseconds of one clock chosen by the caller.

Contract with the caller: `advance(t)` is called before anything that happens after `t` is applied
to a book, then `on_book` or `on_trade` tells what was applied.

Figures on queue and adverse fills: FINDINGS.md, 9 and 10.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from enum import Enum

from dailyarb.core.domain.market import FeeSchedule, Outcome, taker_fee_e6
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.units import MS, PRICE_ONE_E4, SIZE_MAX_E6, check
from dailyarb.sim.fills_order import Phase, Working
from dailyarb.sim.fills_types import (
    NO_MATCH_FAK,
    NO_MATCH_FOK,
    NOT_READY,
    POST_ONLY_CROSSES,
    TOO_LATE,
    BookView,
    FillEvent,
    FillSettings,
    NewOrder,
    OrderUpdate,
    QueueMode,
    Word,
)

_UP, _BIDS, _ASKS = 0, 0, 1


class _Act(Enum):
    ARRIVE = 0
    MATCH = 1
    CANCEL = 2
    EXPIRE = 3
    THROUGH = 4


class FillModel:
    """Meets orders with books.

    Args:
        books: gives the book of a market id, or None for a market that is not known.
        fees: gives the fee schedule of a market id.
        settings: latency, hold and queue rule.
        rng: source of the latencies, seeded by the caller.
        name: prefix of the trade ids.
    """

    def __init__(
        self,
        books: Callable[[str], BookView | None],
        fees: Callable[[str], FeeSchedule],
        settings: FillSettings,
        rng: random.Random,
        name: str = "fill",
    ) -> None:
        self._books = books
        self._fees = fees
        self._settings = settings
        self._rng = rng
        self._name = name
        self._orders: dict[str, Working] = {}
        self._plan: list[tuple[int, int, _Act, str]] = []
        self._taken: dict[str, dict[tuple[int, int], int]] = {}
        self._out: list[FillEvent | OrderUpdate] = []
        self._count = 0
        self._trades = 0
        self._seen_ns = 0

    # ---- what the caller asks

    def submit(self, order: NewOrder, now_ns: int) -> int:
        """Sends an order and returns when it reaches the venue.

        Raises:
            UnitError: price or size is outside its range.
            ValueError: the order id is already working.
        """
        check("price_e4", order.price_e4, 1, PRICE_ONE_E4 - 1)
        check("size_e6", order.size_e6, 1, SIZE_MAX_E6)
        if order.order_id in self._orders:
            raise ValueError(f"order {order.order_id} is already working")
        arrival_ns = now_ns + self._settings.latency.draw_ns(self._rng)
        self._orders[order.order_id] = Working(order, self._count)
        self._schedule(arrival_ns, _Act.ARRIVE, order.order_id)
        if order.expires_ns:
            self._schedule(max(order.expires_ns, arrival_ns), _Act.EXPIRE, order.order_id)
        return arrival_ns

    def cancel(self, order_id: str, now_ns: int) -> int:
        """Sends a cancel and returns when it reaches the venue; a fill may come first."""
        arrival_ns = now_ns + self._settings.latency.draw_ns(self._rng)
        self._schedule(arrival_ns, _Act.CANCEL, order_id)
        return arrival_ns

    def cancel_all(self, now_ns: int, market_id: str = "") -> list[str]:
        """Sends a cancel for each order of the account or of one market; returns their ids."""
        ids = [
            order_id
            for order_id, order in self._orders.items()
            if not market_id or order.new.market_id == market_id
        ]
        for order_id in ids:
            self.cancel(order_id, now_ns)
        return ids

    def close_market(self, market_id: str, now_ns: int, reason: str) -> None:
        """Ends a market: whatever still works there is cancelled by the venue."""
        for order in [o for o in self._orders.values() if o.new.market_id == market_id]:
            self._run_over(order, now_ns)
            if order.left_e6:
                self._finish(order, Word.CANCELLED, now_ns, reason)
        self._taken.pop(market_id, None)

    def working(self) -> list[tuple[NewOrder, int, int]]:
        """Returns (order, matched_e6, queue_e6) of each resting order, oldest first."""
        return [
            (order.new, order.matched_e6, order.queue_e6)
            for order in self._orders.values()
            if order.phase is Phase.RESTING
        ]

    @property
    def busy(self) -> bool:
        """Says whether any order is on its way, held or resting."""
        return bool(self._orders)

    @property
    def watching(self) -> bool:
        """Says whether sizes at the touch matter: an order is about, or shares were taken."""
        return bool(self._orders) or any(self._taken.values())

    def next_due_ns(self) -> int | None:
        """Returns when `advance` is wanted next, or None."""
        return self._plan[0][0] if self._plan else None

    def advance(self, now_ns: int) -> list[FillEvent | OrderUpdate]:
        """Runs everything due by now on the books as they stand; returns all news, in order."""
        while self._plan and self._plan[0][0] <= now_ns:
            at_ns, _, act, order_id = heapq.heappop(self._plan)
            order = self._orders.get(order_id)
            if act is _Act.CANCEL:
                self._on_cancel(order, order_id, at_ns)
            elif order is None:
                continue
            elif act is _Act.ARRIVE:
                self._on_arrival(order, at_ns)
            elif act is _Act.MATCH:
                self._match(order, at_ns)
            elif act is _Act.THROUGH:
                self._on_through(order, at_ns)
            else:
                self._on_expiry(order, at_ns)
        news, self._out = self._out, []
        return news

    # ---- what the caller reports

    def on_book(self, market_id: str, now_ns: int) -> None:
        """Takes note that a market's book was changed by the recording."""
        taken = self._taken.get(market_id)
        resting = self._resting(market_id)
        if not taken and not resting:
            return
        book = self._books(market_id)
        if book is None or not book.synced:
            return
        if taken:
            self._settle_taken(taken, book)
        bids, asks = book.levels(_UP, _BIDS, 1), book.levels(_UP, _ASKS, 1)
        if bids and asks and bids[0][0] >= asks[0][0]:
            return  # a crossed instant is an artefact of arrival order, never an opportunity
        for order in resting:
            own, other = (bids, asks) if order.is_bid else (asks, bids)
            self._shrink_queue(order, book, now_ns)
            if self._settings.queue is QueueMode.FRONT and own:
                self._fill_front(order, own[0][0], book, now_ns)
            guarded = own and order.guarded(own[0][0])
            through = bool(other) and order.beyond(other[0][0]) and not guarded
            if not through:
                order.through_ns = -1
            elif order.left_e6:
                self._run_through(order, book, now_ns)

    def on_trade(
        self, market_id: str, outcome: int, side: int, price_e4: int, size_e6: int, now_ns: int
    ) -> None:
        """Takes note of a print: outcome 0 is UP, side 0 a taker who bought."""
        resting = self._resting(market_id)
        if not resting:
            return
        taker_bought_up = (side == 0) == (outcome == 0)
        up_price_e4 = price_e4 if outcome == 0 else PRICE_ONE_E4 - price_e4
        left_e6 = size_e6
        for order in resting:
            if order.is_bid == taker_bought_up or not order.reaches(up_price_e4):
                continue
            if order.beyond(up_price_e4):
                order.queue_e6 = 0
            ahead_e6 = min(order.queue_e6, left_e6)
            order.queue_e6 -= ahead_e6
            part_e6 = min(order.left_e6, self._ours(left_e6 - ahead_e6))
            if part_e6 > 0:
                left_e6 -= part_e6
                self._fill(order, order.price_e4, part_e6, True, now_ns)
                self._end_if_full(order, Word.FILLED, now_ns)
            if left_e6 <= 0:
                return

    # ---- inside

    def _schedule(self, at_ns: int, act: _Act, order_id: str) -> None:
        self._count += 1
        heapq.heappush(self._plan, (at_ns, self._count, act, order_id))

    def _resting(self, market_id: str) -> list[Working]:
        """Returns a market's resting orders by priority: best price, then first come."""
        found = [
            order
            for order in self._orders.values()
            if order.phase is Phase.RESTING and order.new.market_id == market_id
        ]
        found.sort(key=lambda o: (-o.price_e4 if o.is_bid else o.price_e4, o.rank))
        return found

    def _on_arrival(self, order: Working, at_ns: int) -> None:
        book = self._books(order.new.market_id)
        if book is None or not book.synced:
            self._finish(order, Word.REFUSED, at_ns, NOT_READY)
            return
        best = book.levels(_UP, _ASKS if order.is_bid else _BIDS, 1)
        crosses = bool(best) and order.reaches(best[0][0])
        if crosses and order.new.post_only:
            self._finish(order, Word.REFUSED, at_ns, POST_ONLY_CROSSES)
        elif crosses:
            order.phase = Phase.HELD
            self._schedule(at_ns + self._settings.hold_ms * MS, _Act.MATCH, order.new.order_id)
        elif order.new.tif in (TIF.FOK, TIF.FAK):
            reason = NO_MATCH_FOK if order.new.tif is TIF.FOK else NO_MATCH_FAK
            self._finish(order, Word.KILLED, at_ns, reason)
        else:
            self._rest(order, book, at_ns)

    def _rest(self, order: Working, book: BookView, at_ns: int) -> None:
        order.phase = Phase.RESTING
        order.queue_e6 = order.low_e6 = self._shown(order, book)
        if self._settings.queue is QueueMode.FRONT:
            order.queue_e6 = 0
        self._say(order, Word.MATCHED if order.matched_e6 else Word.RESTING, at_ns)

    def _match(self, order: Working, at_ns: int) -> None:
        """Ends the hold: takes what the book shows now, within the limit."""
        tif = order.new.tif
        book = self._books(order.new.market_id)
        if book is None or not book.synced:
            self._finish(order, Word.REFUSED, at_ns, NOT_READY)
            return
        offers = self._offers(order, book)
        if tif is TIF.FOK and sum(free_e6 for _, free_e6 in offers) < order.left_e6:
            self._finish(order, Word.KILLED, at_ns, NO_MATCH_FOK)
            return
        for price_e4, free_e6 in offers:
            part_e6 = min(free_e6, order.left_e6)
            if part_e6 <= 0:
                break
            self._take(order, price_e4, part_e6)
            self._fill(order, price_e4, part_e6, False, at_ns)
        if order.left_e6 == 0:
            self._finish(order, Word.MATCHED, at_ns)
        elif tif is TIF.FAK:
            word = Word.MATCHED if order.matched_e6 else Word.KILLED
            self._finish(order, word, at_ns, "" if order.matched_e6 else NO_MATCH_FAK)
        else:
            self._rest(order, book, at_ns)
            if order.cancel_asked:
                self._finish(order, Word.CANCELLED, at_ns)

    def _offers(self, order: Working, book: BookView) -> list[tuple[int, int]]:
        """Returns (price, free size) within the limit, less what we took already; best first."""
        side = _ASKS if order.is_bid else _BIDS
        taken = self._taken.get(order.new.market_id, {})
        offers: list[tuple[int, int]] = []
        for price_e4, shown_e6 in book.levels(_UP, side, self._settings.depth_levels):
            if not order.reaches(price_e4):
                break
            free_e6 = self._ours(shown_e6) - taken.get((side, price_e4), 0)
            if free_e6 > 0:
                offers.append((price_e4, free_e6))
        return offers

    def _ours(self, size_e6: int) -> int:
        """Returns what rivals leave us of a size."""
        rivals = self._settings.rivals
        return size_e6 if not rivals else int(size_e6 * (1.0 - rivals))

    def _take(self, order: Working, price_e4: int, size_e6: int) -> None:
        """Remembers that we took from a level of the other side."""
        key = (_ASKS if order.is_bid else _BIDS, price_e4)
        marks = self._taken.setdefault(order.new.market_id, {})
        marks[key] = marks.get(key, 0) + size_e6

    def _settle_taken(self, marks: dict[tuple[int, int], int], book: BookView) -> None:
        """Forgets what we took from a level as far as the level itself shrank or vanished."""
        depth = self._settings.depth_levels
        shown = [dict(book.levels(_UP, side, depth)) for side in (_BIDS, _ASKS)]
        for (side, price_e4), taken_e6 in list(marks.items()):
            shown_e6 = shown[side].get(price_e4, 0)
            if shown_e6:
                marks[side, price_e4] = min(taken_e6, shown_e6)
            else:
                del marks[side, price_e4]

    def _shrink_queue(self, order: Working, book: BookView, now_ns: int) -> None:
        """Applies QueueMode.SHOWN: whoever is ahead of us is shown, if anyone is.

        A print may arrive after the level it thinned, so the queue follows only after settle_ms.
        """
        if self._settings.queue is not QueueMode.SHOWN or not order.queue_e6:
            return
        shown_e6 = self._shown(order, book)
        if shown_e6 >= order.queue_e6:
            order.low_since_ns = -1
        elif order.low_since_ns < 0:
            order.low_since_ns, order.low_e6 = now_ns, shown_e6
        else:
            order.low_e6 = max(order.low_e6, shown_e6)
            if now_ns - order.low_since_ns >= self._settings.settle_ms * MS:
                order.queue_e6 = min(order.queue_e6, order.low_e6)
                order.low_since_ns = -1

    def _fill_front(self, order: Working, own_best_e4: int, book: BookView, now_ns: int) -> None:
        """Applies QueueMode.FRONT: what left our level while it was the best filled us first."""
        shown_e6 = self._shown(order, book)
        gone_e6, order.low_e6 = order.low_e6 - shown_e6, shown_e6
        # A better price of somebody else would have been taken before ours.
        better = own_best_e4 > order.price_e4 if order.is_bid else own_best_e4 < order.price_e4
        part_e6 = min(order.left_e6, self._ours(gone_e6))
        if part_e6 > 0 and not better:
            self._fill(order, order.price_e4, part_e6, True, now_ns)
            self._end_if_full(order, Word.FILLED, now_ns)

    def _shown(self, order: Working, book: BookView) -> int:
        """Returns what the book shows at an order's own level."""
        own = book.levels(_UP, _BIDS if order.is_bid else _ASKS, self._settings.depth_levels)
        return dict(own).get(order.price_e4, 0)

    def _run_through(self, order: Working, book: BookView, now_ns: int) -> None:
        """Fills a resting order once the other side has stayed beyond its price for through_ms."""
        wait_ns = self._settings.through_ms * MS
        if order.through_ns < 0:
            order.through_ns = now_ns
            if wait_ns:
                self._schedule(now_ns + wait_ns, _Act.THROUGH, order.new.order_id)
        if now_ns - order.through_ns >= wait_ns:
            self._fill_through(order, book, now_ns)

    def _on_through(self, order: Working, at_ns: int) -> None:
        book = self._books(order.new.market_id)
        if book is not None and order.through_ns >= 0:
            self._run_through(order, book, at_ns)

    def _run_over(self, order: Working, at_ns: int) -> None:
        """Fills an order that is about to leave while the other side stands beyond its price."""
        book = self._books(order.new.market_id)
        if book is not None and order.through_ns >= 0:
            self._fill_through(order, book, at_ns)

    def _fill_through(self, order: Working, book: BookView, now_ns: int) -> None:
        """Fills a resting order from opposite liquidity strictly beyond its price."""
        for price_e4, free_e6 in self._offers(order, book):
            part_e6 = min(order.left_e6, free_e6)
            if not order.beyond(price_e4) or part_e6 <= 0:
                break
            self._take(order, price_e4, part_e6)
            self._fill(order, order.price_e4, part_e6, True, now_ns)
        self._end_if_full(order, Word.FILLED, now_ns)

    def _on_cancel(self, order: Working | None, order_id: str, at_ns: int) -> None:
        if order is None:
            self._refuse_cancel(order_id, "", 0, at_ns)
        elif order.phase is Phase.RESTING:
            self._run_over(order, at_ns)
            if order.left_e6:
                self._finish(order, Word.CANCELLED, at_ns)
            else:
                self._refuse_cancel(order_id, order.new.market_id, order.matched_e6, at_ns)
        elif order.phase is Phase.HELD:
            order.cancel_asked = True  # decided when the hold ends
        else:  # the cancel overtook the order on another connection
            self._refuse_cancel(order_id, order.new.market_id, 0, at_ns)

    def _on_expiry(self, order: Working, at_ns: int) -> None:
        if order.phase is Phase.HELD:
            self._schedule(at_ns + self._settings.hold_ms * MS, _Act.EXPIRE, order.new.order_id)
            return
        self._run_over(order, at_ns)
        if order.left_e6:
            self._finish(order, Word.EXPIRED, at_ns)

    def _fill(
        self, order: Working, up_price_e4: int, size_e6: int, maker: bool, at_ns: int
    ) -> None:
        """Books one part: coordinates go back to the order's own outcome."""
        new = order.new
        price_e4 = up_price_e4 if new.outcome is Outcome.UP else PRICE_ONE_E4 - up_price_e4
        fees = self._fees(new.market_id)
        free = maker and fees.taker_only
        fee_e6 = 0 if free else taker_fee_e6(price_e4, size_e6, fees.rate_e6)
        order.left_e6 -= size_e6
        self._trades += 1
        self._out.append(
            FillEvent(
                trade_id=f"{self._name}-{self._trades:06d}",
                order_id=new.order_id,
                market_id=new.market_id,
                outcome=new.outcome,
                side=new.side,
                price_e4=price_e4,
                size_e6=size_e6,
                fee_e6=fee_e6,
                maker=maker,
                at_ns=at_ns,
                seen_ns=self._seen(at_ns),
            )
        )

    def _seen(self, at_ns: int) -> int:
        """Returns when news of `at_ns` reaches us; news never overtake each other."""
        self._seen_ns = max(self._seen_ns, at_ns + self._settings.latency.draw_ns(self._rng))
        return self._seen_ns

    def _say(self, order: Working, word: Word, at_ns: int, reason: str = "") -> None:
        new = order.new
        seen_ns = self._seen(at_ns)
        self._out.append(
            OrderUpdate(new.order_id, new.market_id, word, order.matched_e6, at_ns, seen_ns, reason)
        )

    def _refuse_cancel(self, order_id: str, market_id: str, matched_e6: int, at_ns: int) -> None:
        self._out.append(
            OrderUpdate(
                order_id,
                market_id,
                Word.CANCEL_REFUSED,
                matched_e6,
                at_ns,
                self._seen(at_ns),
                TOO_LATE,
            )
        )

    def _finish(self, order: Working, word: Word, at_ns: int, reason: str = "") -> None:
        """Says the last word on an order and forgets it."""
        del self._orders[order.new.order_id]
        self._say(order, word, at_ns, reason)
        if order.cancel_asked and word is not Word.CANCELLED:
            new = order.new
            self._refuse_cancel(new.order_id, new.market_id, order.matched_e6, at_ns)

    def _end_if_full(self, order: Working, word: Word, at_ns: int) -> None:
        if order.left_e6 == 0:
            self._finish(order, word, at_ns)
