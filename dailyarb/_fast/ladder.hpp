// One market's book in UP coordinates: a cell per tick, a stamp per cell, bitmaps for the best.
//
// Frames arrive out of stamp order, so a level is written only by news at least as new as what it
// holds, and a snapshot is a checkpoint as of its own stamp: it rewrites or deletes only levels
// stamped at or before it. `base_ms_`, the newest checkpoint, is the stamp of every level that no
// later change has touched; thus the effective stamp of a cell is max(cell, base).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

namespace dailyarb {

enum Applied : int {
    APPLIED_LATE = 0,
    APPLIED_SAME = 1,
    APPLIED_CHANGED = 2,
    APPLIED_OFF_GRID = 3,
};

struct LadderTop {
  int32_t bid_e4 = 0;
  int32_t ask_e4 = 10000;
  int64_t bid_size_e6 = 0;
  int64_t ask_size_e6 = 0;

  bool operator==(const LadderTop& other) const {
    return bid_e4 == other.bid_e4 && ask_e4 == other.ask_e4 &&
           bid_size_e6 == other.bid_size_e6 && ask_size_e6 == other.ask_size_e6;
  }
};

class LadderCore {
 public:
  static constexpr int ONE_E4 = 10000;
  static constexpr int WORDS = ONE_E4 / 64 + 1;

  explicit LadderCore(int tick_e4) { lay_grid(tick_e4); }
  LadderCore(const LadderCore&) = delete;
  LadderCore& operator=(const LadderCore&) = delete;

  static bool tick_known(int tick_e4) {
    return tick_e4 == 1000 || tick_e4 == 100 || tick_e4 == 50 || tick_e4 == 25 ||
           tick_e4 == 10 || tick_e4 == 1;
  }

  // Opens a new epoch: empty until a snapshot.
  void clear() {
    for (int side = 0; side < 2; ++side) {
      cells_[side].assign(cells_[side].size(), Cell{});
      std::memset(bits_[side], 0, sizeof bits_[side]);
      total_[side] = 0;
      count_[side] = 0;
    }
    best_[0] = 0;
    best_[1] = steps_;
    base_ms_ = -1;
    newest_ms = 0;
    synced = desynced = false;
    ++epoch;
  }

  // A new grid is a new epoch: positions of the old one mean nothing in it.
  void set_tick(int tick_e4) {
    clear();
    lay_grid(tick_e4);
    best_[1] = steps_;
  }

  // Writes one level unless it holds something newer. `outcome` 1 is mirrored.
  Applied apply(int outcome, int side, int price_e4, int64_t size_e6, int64_t stamp_ms) {
    if (outcome) {
      price_e4 = ONE_E4 - price_e4;
      side ^= 1;
    }
    const int step = step_of(price_e4);
    if (step < 0) return off();
    if (stamp_ms > newest_ms) newest_ms = stamp_ms;
    Cell& cell = cells_[side][step];
    if (stamp_ms < base_ms_ || stamp_ms < cell.stamp_ms) {
      ++late;
      return APPLIED_LATE;
    }
    cell.stamp_ms = stamp_ms;
    if (cell.size_e6 == size_e6) return APPLIED_SAME;
    write(side, step, size_e6);
    return APPLIED_CHANGED;
  }

  void begin_book(int64_t stamp_ms) {
    book_ms_ = stamp_ms;
    book_changed_ = false;
    std::memset(mark_, 0, sizeof mark_);
    if (stamp_ms > newest_ms) newest_ms = stamp_ms;
  }

  Applied book_level(int outcome, int side, int price_e4, int64_t size_e6) {
    if (outcome) {
      price_e4 = ONE_E4 - price_e4;
      side ^= 1;
    }
    const int step = step_of(price_e4);
    if (step < 0) return off();
    mark_[side][step >> 6] |= 1ull << (step & 63);
    Cell& cell = cells_[side][step];
    if (book_ms_ < base_ms_ || book_ms_ < cell.stamp_ms) return APPLIED_LATE;
    cell.stamp_ms = book_ms_;
    if (cell.size_e6 == size_e6) return APPLIED_SAME;
    write(side, step, size_e6);
    book_changed_ = true;
    return APPLIED_CHANGED;
  }

  // Deletes what the checkpoint does not name; returns whether any level changed since begin_book.
  bool end_book() {
    synced = !desynced;
    if (book_ms_ < base_ms_) return false;
    for (int side = 0; side < 2; ++side) {
      for (int word = 0; word <= steps_ >> 6; ++word) {
        for (uint64_t gone = bits_[side][word] & ~mark_[side][word]; gone; gone &= gone - 1) {
          const int step = (word << 6) + __builtin_ctzll(gone);
          Cell& cell = cells_[side][step];
          if (cell.stamp_ms > book_ms_) continue;
          cell.stamp_ms = book_ms_;
          write(side, step, 0);
          book_changed_ = true;
        }
      }
    }
    base_ms_ = book_ms_;
    return book_changed_;
  }

  // Deletes levels beyond a touch the venue states as of `stamp_ms` (UP coordinates).
  bool trim(int bid_e4, int ask_e4, int64_t stamp_ms) {
    bool changed = false;
    while (count_[0] && best_[0] * tick_e4 > bid_e4 && trim_one(0, stamp_ms)) changed = true;
    while (count_[1] && best_[1] * tick_e4 < ask_e4 && trim_one(1, stamp_ms)) changed = true;
    return changed;
  }

  LadderTop top() const {
    LadderTop top;
    top.bid_e4 = best_[0] * tick_e4;
    top.ask_e4 = best_[1] * tick_e4;
    top.bid_size_e6 = cells_[0][best_[0]].size_e6;
    top.ask_size_e6 = cells_[1][best_[1]].size_e6;
    return top;
  }

  LadderTop top_of(int outcome) const {
    const LadderTop up = top();
    if (!outcome) return up;
    LadderTop down;
    down.bid_e4 = ONE_E4 - up.ask_e4;
    down.ask_e4 = ONE_E4 - up.bid_e4;
    down.bid_size_e6 = up.ask_size_e6;
    down.ask_size_e6 = up.bid_size_e6;
    return down;
  }

  bool crossed() const { return count_[0] && count_[1] && best_[0] >= best_[1]; }
  int levels_count() const { return count_[0] + count_[1]; }
  uint64_t total(int outcome, int side) const { return total_[side ^ outcome]; }

  // Calls visit(price_e4, size_e6) best first, in the outcome's own prices, until it says false.
  template <typename Visit>
  void walk(int outcome, int side, Visit visit) const {
    const int own = side ^ outcome;
    for (int step = best_[own]; step > 0 && step < steps_; step = next(own, step)) {
      const int price_e4 = step * tick_e4;
      if (!visit(outcome ? ONE_E4 - price_e4 : price_e4, cells_[own][step].size_e6)) return;
    }
  }

  // Shares from the best to `price_e4` inclusive.
  uint64_t depth(int outcome, int side, int price_e4) const {
    uint64_t shares = 0;
    walk(outcome, side, [&](int price, int64_t size_e6) {
      if (side == 0 ? price < price_e4 : price > price_e4) return false;
      shares += static_cast<uint64_t>(size_e6);
      return true;
    });
    return shares;
  }

  // Fills a taker of `taken` (0 BUY walks the asks) up to the limit; the cost takes 128 bits.
  int64_t sweep(int outcome, int taken, int64_t size_e6, int limit_e4,
                unsigned __int128& cost) const {
    int64_t filled = 0;
    cost = 0;
    walk(outcome, taken ^ 1, [&](int price, int64_t level_e6) {
      if (filled == size_e6 || (taken == 0 ? price > limit_e4 : price < limit_e4)) return false;
      const int64_t part = level_e6 < size_e6 - filled ? level_e6 : size_e6 - filled;
      filled += part;
      cost += static_cast<unsigned __int128>(part) * static_cast<unsigned>(price);
      return true;
    });
    return filled;
  }

  // The same, the cost in two halves for callers without 128-bit integers.
  int64_t sweep_halves(int outcome, int taken, int64_t size_e6, int limit_e4, uint64_t& high,
                       uint64_t& low) const {
    unsigned __int128 cost = 0;
    const int64_t filled = sweep(outcome, taken, size_e6, limit_e4, cost);
    high = static_cast<uint64_t>(cost >> 64);
    low = static_cast<uint64_t>(cost);
    return filled;
  }

  // Copies up to `most` levels, best first; returns how many.
  int copy_levels(int outcome, int side, int most, int32_t* price_e4, int64_t* size_e6) const {
    int count = 0;
    walk(outcome, side, [&](int price, int64_t size) {
      if (count == most) return false;
      price_e4[count] = price;
      size_e6[count++] = size;
      return true;
    });
    return count;
  }

  int tick_e4 = 100;
  uint32_t epoch = 0;
  bool synced = false;    // a snapshot of this epoch was applied and nothing contradicts it
  bool desynced = false;  // contradicted: only a new epoch cures it
  int64_t newest_ms = 0;
  uint64_t off_grid = 0;
  uint64_t late = 0;

 private:
  struct Cell {
    int64_t size_e6;
    int64_t stamp_ms;
  };

  void lay_grid(int tick) {
    tick_e4 = tick;
    steps_ = ONE_E4 / tick;
    // Of this grid only: at a cent 3 KB a market, where the finest takes 320.
    for (auto& side : cells_) side.assign((size_t)(steps_ + 1), Cell{});
    best_[0] = 0;
    best_[1] = steps_;
  }

  // Position on the grid, or -1: 0 and 1 dollar are no levels.
  int step_of(int price_e4) const {
    if (price_e4 <= 0 || price_e4 >= ONE_E4) return -1;
    const int step = price_e4 / tick_e4;
    return step * tick_e4 == price_e4 ? step : -1;
  }

  Applied off() {
    ++off_grid;
    desynced = true;
    synced = false;
    return APPLIED_OFF_GRID;
  }

  void write(int side, int step, int64_t size_e6) {
    Cell& cell = cells_[side][step];
    const bool was = cell.size_e6 != 0;
    total_[side] += static_cast<uint64_t>(size_e6) - static_cast<uint64_t>(cell.size_e6);
    cell.size_e6 = size_e6;
    if (size_e6 != 0) {
      if (was) return;
      bits_[side][step >> 6] |= 1ull << (step & 63);
      ++count_[side];
      if (side == 0 ? step > best_[0] : step < best_[1]) best_[side] = step;
    } else if (was) {
      bits_[side][step >> 6] &= ~(1ull << (step & 63));
      --count_[side];
      if (step == best_[side]) best_[side] = next(side, step);
    }
  }

  // The next level away from the touch: 0 for no bid, `steps_` for no ask.
  int next(int side, int step) const {
    if (side == 0) {
      int word = step >> 6;
      uint64_t left = bits_[0][word] & ((1ull << (step & 63)) - 1);
      while (!left && word > 0) left = bits_[0][--word];
      return left ? (word << 6) + 63 - __builtin_clzll(left) : 0;
    }
    const int last = steps_ >> 6;
    int word = step >> 6;
    uint64_t left = bits_[1][word] & ~((2ull << (step & 63)) - 1);
    while (!left && word < last) left = bits_[1][++word];
    return left ? (word << 6) + __builtin_ctzll(left) : steps_;
  }

  bool trim_one(int side, int64_t stamp_ms) {
    Cell& cell = cells_[side][best_[side]];
    if (cell.stamp_ms > stamp_ms || base_ms_ > stamp_ms) return false;
    cell.stamp_ms = stamp_ms;
    write(side, best_[side], 0);
    return true;
  }

  std::vector<Cell> cells_[2];
  uint64_t bits_[2][WORDS] = {};
  uint64_t mark_[2][WORDS] = {};
  uint64_t total_[2] = {0, 0};
  int count_[2] = {0, 0};
  int best_[2] = {0, 0};
  int steps_ = 100;
  int64_t base_ms_ = -1;
  int64_t book_ms_ = 0;
  bool book_changed_ = false;
};

}  // namespace dailyarb
