// Frames to ladders to flags. Everything between the socket's bytes and "this market moved".
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "ladder.hpp"
#include "polymarket_rows.hpp"

namespace dailyarb {

enum RouterFlag : int {
  FLAG_TOP = 1, FLAG_DEPTH = 2, FLAG_TRADE = 4, FLAG_DESYNC = 8, FLAG_TICK = 16,
  FLAG_SNAPSHOT = 32, FLAG_RESOLVED = 64, FLAG_NEW_MARKET = 128, FLAG_FAULT = 256
};

// The last changes of one token, so that a redundant connection's copy is known.
// 128 sets of four; the oldest of a set gives way.
//
// A level may go X, Y, X within one millisecond: its third change then looks like the first. What
// one connection brings twice is therefore news, what another has brought as often is a copy:
// the nth coming of a change is applied once, whoever brings it first.
class SeenSet {
 public:
  static constexpr int SOURCES = 7;

  // Returns whether the change is a copy, and remembers it. Source -1 (unknown): any is.
  bool test_and_add(uint64_t key, int source) {
    Entry* const set = &entries_[(key & 127) * 4];
    for (int way = 0; way < 4; ++way) {
      Entry& entry = set[way];
      if (entry.key != key) continue;
      if (source < 0 || entry.brought[source] == 255) return true;
      if (++entry.brought[source] <= entry.applied) return true;
      entry.applied = entry.brought[source];
      return false;
    }
    uint8_t& turn = turns_[key & 127];
    set[turn] = Entry{key, 1, {}};
    if (source >= 0) set[turn].brought[source] = 1;
    turn = (turn + 1) & 3;
    return false;
  }
  void clear() {
    entries_.fill(Entry{});
    turns_.fill(0);
  }

 private:
  struct Entry {
    uint64_t key;
    uint8_t applied;
    uint8_t brought[SOURCES];
  };
  std::array<Entry, 512> entries_{};
  std::array<uint8_t, 128> turns_{};
};

struct Trade {
  int32_t market;
  int32_t price_e4;
  int64_t size_e6;
  int64_t stamp_ms;
  int8_t outcome;
  int8_t side;
};

struct TickChange {
  int32_t market;
  int32_t tick_e4;
  int64_t stamp_ms;
};

struct MarketBook {
  LadderCore* ladder = nullptr;  // owned by the Python Ladder, which the router holds
  LadderTop shown;               // the touch last reported, its sizes up to the mark
  int64_t mark_e6 = INT64_MAX;   // sizes beyond it are all the same to whoever listens
  SeenSet seen[2];
  int64_t recv_ns = 0;
  int64_t token_recv_ns[2] = {0, 0};
  int64_t stamp_ms = 0;
  int64_t tick_ms = 0;
  int64_t mismatch_since_ns = 0;  // 0: own touch agrees with the venue's
  int64_t crossed_since_ns = 0;
  int64_t told_epoch = -1;  // the epoch whose desync was reported
  int pending = 0;
  int frame_flags = 0;
  bool touched = false;
};

class Router {
 public:
  Router(int markets_max, int64_t settle_ns) : settle_ns_(settle_ns), markets_(markets_max) {}

  // Applies the rows of one frame of one connection; returns the OR of its flags.
  int apply(const RowBuffer& rows, int64_t recv_ns, int source) {
    int flags = 0;
    source_ = source >= 0 && source < SeenSet::SOURCES ? source : -1;
    touched_.clear();
    size_t at = 0;
    while (at < rows.length) {
      const Row& row = rows.rows[at];
      if (row.kind == ROW_NEW_MARKET) {
        flags |= FLAG_NEW_MARKET;
        ++at;
        continue;
      }
      MarketBook& book = touch(row, recv_ns);
      switch (row.kind) {
        case ROW_LEVEL: at = apply_changes(rows, at, recv_ns); break;
        case ROW_BOOK_BEGIN: at = apply_book(book, rows, at); break;
        case ROW_TRADE: apply_trade(book, row); ++at; break;
        case ROW_TICK_SIZE: apply_tick(book, row.market, row.price_e4, row.stamp_ms); ++at; break;
        case ROW_RESOLVED: book.frame_flags |= FLAG_RESOLVED; ++at; break;
        default: ++at; break;  // ROW_TOP is evidence of life; the touch comes from the book
      }
    }
    for (const int market : touched_) flags |= settle(market, recv_ns);
    return flags;
  }

  // Judges by time alone what a quiet feed left open; call it from the engine's timer.
  int expire(int64_t now_ns) {
    int flags = 0;
    for (size_t market = 0; market < markets_.size(); ++market) {
      MarketBook& book = markets_[market];
      if (book.ladder == nullptr) continue;
      judge(book, now_ns);
      flags |= report(book, static_cast<int>(market));
    }
    return flags;
  }

  void open(int market, LadderCore* ladder) {
    markets_[market] = MarketBook();
    markets_[market].ladder = ladder;
  }

  // New epoch: what was seen before it may come again and must then be applied.
  void resync(int market) {
    MarketBook& book = markets_[market];
    book.ladder->clear();
    forget(book);
  }

  MarketBook& market(int index) { return markets_[index]; }

  std::vector<int> dirty;  // markets with pending flags, in order of first touch
  std::deque<Trade> trades;
  std::deque<TickChange> ticks;
  uint64_t duplicates = 0, mismatches = 0, agreements = 0, desyncs = 0, broken_mirrors = 0;
  uint64_t trades_dropped = 0, ticks_dropped = 0, trims = 0;

 private:
  static constexpr size_t EVENTS_MOST = 4096;

  MarketBook& touch(const Row& row, int64_t recv_ns) {
    MarketBook& book = markets_[row.market];
    if (!book.touched) {
      book.touched = true;
      book.frame_flags = 0;
      touched_.push_back(row.market);
    }
    book.recv_ns = recv_ns;
    book.token_recv_ns[row.outcome] = recv_ns;
    if (row.stamp_ms > book.stamp_ms) book.stamp_ms = row.stamp_ms;
    return book;
  }

  static uint64_t key_of(const Row& row) {
    uint64_t key = mix64(row.hash64, static_cast<uint64_t>(row.stamp_ms));
    key = mix64(key, static_cast<uint64_t>(row.size_e6));
    return mix64(key, (static_cast<uint64_t>(row.price_e4) << 16) ^
                          (static_cast<uint64_t>(row.side & 1) << 8) ^
                          static_cast<uint64_t>(row.kind));
  }

  static uint64_t mirror_key(int price_e4, int side, int64_t size_e6) {
    return mix64(mix64(0x5851F42D4C957F2Dull, static_cast<uint64_t>(size_e6)),
                 (static_cast<uint64_t>(price_e4) << 1) ^ static_cast<uint64_t>(side));
  }

  // All entries of one price_change, market by market, before anything is read.
  size_t apply_changes(const RowBuffer& rows, size_t begin, int64_t recv_ns) {
    size_t end = begin;
    while (end < rows.length && rows.rows[end].kind == ROW_LEVEL &&
           rows.rows[end].group == rows.rows[begin].group &&
           rows.rows[end].market == rows.rows[begin].market)
      ++end;
    MarketBook& book = markets_[rows.rows[begin].market];
    uint64_t mirror[2] = {0, 0};
    int entries[2] = {0, 0};
    bool fresh = false;
    for (size_t at = begin; at < end; ++at) {
      const Row& row = rows.rows[at];
      ++entries[row.outcome];
      mirror[row.outcome] += row.outcome == 0
                                 ? mirror_key(row.price_e4, row.side, row.size_e6)
                                 : mirror_key(10000 - row.price_e4, row.side ^ 1, row.size_e6);
      book.token_recv_ns[row.outcome] = recv_ns;
      if (row.hash64 && book.seen[row.outcome].test_and_add(key_of(row), source_)) {
        ++duplicates;
        continue;
      }
      fresh = true;
      const Applied applied =
          book.ladder->apply(row.outcome, row.side, row.price_e4, row.size_e6, row.stamp_ms);
      if (applied == APPLIED_CHANGED) book.frame_flags |= FLAG_DEPTH;
      if (applied == APPLIED_OFF_GRID) desync(book);
    }
    if (!fresh) return end;
    if (entries[0] && entries[1] && (entries[0] != entries[1] || mirror[0] != mirror[1])) {
      ++broken_mirrors;
      desync(book);
    }
    compare(book, rows, begin, end, recv_ns);
    return end;
  }

  // Own touch against the one each entry states, read for all of them before anything is cut.
  // Late entries speak of an older book: they are counted, but neither accuse nor acquit.
  void compare(MarketBook& book, const RowBuffer& rows, size_t begin, size_t end,
               int64_t recv_ns) {
    if (!book.ladder->synced) return;
    const LadderTop own = book.ladder->top();
    const Row* last = nullptr;
    bool last_agrees = false;
    for (size_t at = begin; at < end; ++at) {
      const Row& row = rows.rows[at];
      if (row.best_bid_e4 < 0 || row.best_ask_e4 < 0) continue;
      const bool agrees = own.bid_e4 == stated_bid(row) && own.ask_e4 == stated_ask(row);
      ++(agrees ? agreements : mismatches);
      if (row.stamp_ms < book.ladder->newest_ms) continue;
      last = &row;
      last_agrees = agrees;
    }
    if (last == nullptr) return;
    if (last_agrees) book.mismatch_since_ns = 0;
    else trust(book, *last, recv_ns);
  }

  static int stated_bid(const Row& row) {
    return row.outcome ? 10000 - row.best_ask_e4 : row.best_bid_e4;
  }
  static int stated_ask(const Row& row) {
    return row.outcome ? 10000 - row.best_bid_e4 : row.best_ask_e4;
  }

  // The venue's touch is believed: what stands beyond it goes. What is missing cannot be made up,
  // so a touch that still differs has `settle_ns_` to come right.
  void trust(MarketBook& book, const Row& row, int64_t recv_ns) {
    const int bid_e4 = stated_bid(row), ask_e4 = stated_ask(row);
    if (book.ladder->trim(bid_e4, ask_e4, row.stamp_ms)) {
      ++trims;
      book.frame_flags |= FLAG_DEPTH;
    }
    const LadderTop own = book.ladder->top();
    if (own.bid_e4 == bid_e4 && own.ask_e4 == ask_e4) book.mismatch_since_ns = 0;
    else if (book.mismatch_since_ns == 0) book.mismatch_since_ns = recv_ns ? recv_ns : 1;
  }

  size_t apply_book(MarketBook& book, const RowBuffer& rows, size_t begin) {
    const Row& head = rows.rows[begin];
    size_t end = begin + 1;
    while (rows.rows[end].kind == ROW_BOOK_LEVEL) ++end;
    if (head.hash64 && book.seen[head.outcome].test_and_add(key_of(head), source_)) {
      ++duplicates;
      return end + 1;
    }
    if (head.price_e4 > 0 && head.price_e4 != book.ladder->tick_e4)
      apply_tick(book, head.market, head.price_e4, head.stamp_ms);
    LadderCore& ladder = *book.ladder;
    const bool was_synced = ladder.synced;
    ladder.begin_book(head.stamp_ms);
    bool off_grid = false;
    for (size_t at = begin + 1; at < end; ++at) {
      const Row& row = rows.rows[at];
      off_grid |= ladder.book_level(row.outcome, row.side, row.price_e4, row.size_e6) ==
                  APPLIED_OFF_GRID;
    }
    if (ladder.end_book()) book.frame_flags |= FLAG_DEPTH;
    if (off_grid) desync(book);
    if (ladder.synced) book.frame_flags |= FLAG_SNAPSHOT;
    // The first touch of an epoch is news even where it equals the last one of the old epoch.
    if (ladder.synced && !was_synced) book.frame_flags |= FLAG_TOP;
    return end + 1;
  }

  void apply_trade(MarketBook& book, const Row& row) {
    if (book.seen[row.outcome].test_and_add(key_of(row), source_)) {
      ++duplicates;
      return;
    }
    if (trades.size() == EVENTS_MOST) {
      trades.pop_front();
      ++trades_dropped;
    }
    trades.push_back(
        {row.market, row.price_e4, row.size_e6, row.stamp_ms, row.outcome, row.side});
    book.frame_flags |= FLAG_TRADE;
  }

  void apply_tick(MarketBook& book, int market, int tick_e4, int64_t stamp_ms) {
    if (stamp_ms < book.tick_ms) return;  // an older source must not restore the old tick
    book.tick_ms = stamp_ms;
    if (tick_e4 == book.ladder->tick_e4) return;
    if (!LadderCore::tick_known(tick_e4)) {
      desync(book);
      return;
    }
    book.ladder->set_tick(tick_e4);
    forget(book);
    book.frame_flags |= FLAG_TICK;
    if (ticks.size() == EVENTS_MOST) {
      ticks.pop_front();
      ++ticks_dropped;
    }
    ticks.push_back({market, tick_e4, stamp_ms});
  }

  static void forget(MarketBook& book) {
    for (auto& seen : book.seen) seen.clear();
    book.mismatch_since_ns = book.crossed_since_ns = 0;
  }

  // Once per epoch: `desynced` of the ladder may already be up (off grid).
  void desync(MarketBook& book) {
    book.ladder->desynced = true;
    book.ladder->synced = false;
    if (book.told_epoch == book.ladder->epoch) return;
    book.told_epoch = book.ladder->epoch;
    ++desyncs;
    book.frame_flags |= FLAG_DESYNC;
  }

  void judge(MarketBook& book, int64_t now_ns) {
    if (!book.ladder->synced) return;
    if (!book.ladder->crossed()) book.crossed_since_ns = 0;
    else if (book.crossed_since_ns == 0) book.crossed_since_ns = now_ns ? now_ns : 1;
    for (const int64_t since : {book.mismatch_since_ns, book.crossed_since_ns})
      if (since && now_ns - since > settle_ns_) desync(book);
  }

  int settle(int market, int64_t recv_ns) {
    MarketBook& book = markets_[market];
    book.touched = false;
    LadderTop top = book.ladder->top();
    top.bid_size_e6 = std::min(top.bid_size_e6, book.mark_e6);
    top.ask_size_e6 = std::min(top.ask_size_e6, book.mark_e6);
    if (!(top == book.shown)) {
      book.shown = top;
      book.frame_flags |= FLAG_TOP;
    }
    judge(book, recv_ns);
    return report(book, market);
  }

  int report(MarketBook& book, int market) {
    const int flags = book.frame_flags;
    book.frame_flags = 0;
    if (flags == 0) return 0;
    if (book.pending == 0) dirty.push_back(market);
    book.pending |= flags;
    return flags;
  }

  int64_t settle_ns_;
  int source_ = -1;  // of the frame at hand
  std::vector<MarketBook> markets_;
  std::vector<int> touched_;
};

}  // namespace dailyarb
