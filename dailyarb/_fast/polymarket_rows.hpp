// Rows of the market channel and the table of tokens: plain memory, no JSON.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "text.hpp"

namespace dailyarb {

enum RowKind : int8_t {
  ROW_LEVEL = 1,
  ROW_BOOK_BEGIN,
  ROW_BOOK_LEVEL,
  ROW_BOOK_END,
  ROW_TRADE,
  ROW_TICK_SIZE,
  ROW_TOP,
  ROW_RESOLVED,
  ROW_NEW_MARKET
};

constexpr int64_t PRICE_MOST_E4 = 10000;
constexpr int64_t SIZE_MOST_E6 = 1000000000000000;   // a billion shares
constexpr int64_t STAMP_MOST_MS = 100000000000000;   // the year 5138
constexpr int64_t FEE_MOST_BPS = 100000;

struct Row {
  int64_t size_e6 = 0;
  int64_t stamp_ms = 0;
  uint64_t hash64 = 0;  // 0 absent
  int32_t price_e4 = -1;
  int32_t best_bid_e4 = -1;
  int32_t best_ask_e4 = -1;
  int32_t slot = -1;
  int32_t market = -1;
  int32_t fee_rate_bps = -1;
  int32_t group = 0;  // which object of the frame
  int8_t kind = 0;
  int8_t outcome = -1;  // 0 UP, 1 DOWN
  int8_t side = -1;     // 0 BUY (bids), 1 SELL (asks)
};

// Grows by doubling up to a bound, keeps its memory between frames.
class RowBuffer {
 public:
  explicit RowBuffer(size_t most) : most_(most) {}
  RowBuffer(const RowBuffer&) = delete;
  RowBuffer& operator=(const RowBuffer&) = delete;
  ~RowBuffer() { std::free(rows); }

  // Returns `count` fresh rows at the end, or nullptr when the bound or memory forbids them.
  Row* append(size_t count) {
    if (length + count > capacity_ && !grow(length + count)) return nullptr;
    Row* first = rows + length;
    length += count;
    return first;
  }

  Row* rows = nullptr;
  size_t length = 0;

 private:
  bool grow(size_t wanted) {
    if (wanted > most_) return false;
    size_t capacity = capacity_ ? capacity_ : 256;
    while (capacity < wanted) capacity *= 2;
    if (capacity > most_) capacity = most_;
    void* memory = std::realloc(static_cast<void*>(rows), capacity * sizeof(Row));
    if (memory == nullptr) return false;
    rows = static_cast<Row*>(memory);
    capacity_ = capacity;
    return true;
  }

  size_t capacity_ = 0;
  size_t most_;
};

struct Token {
  std::string text;
  uint64_t hash = 0;
  int32_t slot = -1;
  int32_t market = -1;
  int8_t outcome = 0;
  bool used = false;
};

// Token id to slot: open addressing over a power of two, rebuilt on removal (rare).
class TokenTable {
 public:
  TokenTable() : index_(64, -1) {}

  // Returns the slot, or -1 when the token is already there.
  int add(const char* at, size_t length, int market, int outcome) {
    if (find(at, length) != nullptr) return -1;
    size_t slot = 0;
    while (slot < tokens_.size() && tokens_[slot].used) ++slot;
    if (slot == tokens_.size()) tokens_.emplace_back();
    Token& token = tokens_[slot];
    token.text.assign(at, length);
    token.hash = hash_of(at, length);
    token.slot = static_cast<int32_t>(slot);
    token.market = market;
    token.outcome = static_cast<int8_t>(outcome);
    token.used = true;
    ++count_;
    rebuild();
    return static_cast<int>(slot);
  }

  bool remove(const char* at, size_t length) {
    const Token* found = find(at, length);
    if (found == nullptr) return false;
    tokens_[static_cast<size_t>(found->slot)].used = false;
    --count_;
    rebuild();
    return true;
  }

  const Token* find(const char* at, size_t length) const {
    const uint64_t hash = hash_of(at, length);
    const size_t mask = index_.size() - 1;
    for (size_t place = hash & mask; index_[place] >= 0; place = (place + 1) & mask) {
      const Token& token = tokens_[static_cast<size_t>(index_[place])];
      if (token.hash == hash && token.text.size() == length &&
          std::memcmp(token.text.data(), at, length) == 0)
        return &token;
    }
    return nullptr;
  }

  const Token* at(int slot) const { return &tokens_[static_cast<size_t>(slot)]; }
  size_t count() const { return count_; }

 private:
  // The ends of a token id tell it apart; equality is decided by the whole text.
  static uint64_t hash_of(const char* at, size_t length) {
    if (length < 16) return hash_text(at, length);
    return mix64(mix64(length, load64(at)), load64(at + length - 8));
  }

  void rebuild() {
    size_t size = 64;
    while (size < count_ * 4) size *= 2;
    index_.assign(size, -1);
    for (const Token& token : tokens_) {
      if (!token.used) continue;
      size_t place = token.hash & (size - 1);
      while (index_[place] >= 0) place = (place + 1) & (size - 1);
      index_[place] = token.slot;
    }
  }

  std::vector<Token> tokens_;
  std::vector<int32_t> index_;
  size_t count_ = 0;
};

}  // namespace dailyarb
