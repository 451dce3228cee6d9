// The hand scanner: compact single objects of the hot types, plain ASCII, keys once.
// Anything else returns false before a row or a counter is touched, and simdjson decides.
#pragma once

namespace dailyarb {

inline const char* scan_text(const char* p, const char* end, Text& text) {
  const char* const quote = scan_string(p, end);
  if (quote == nullptr) return nullptr;
  text = {p, static_cast<uint32_t>(quote - p), TEXT_STRING};
  return quote;
}

inline const char* scan_price(const char* p, const char* end, int32_t& price_e4) {
  int64_t value = 0;
  p = scan_fixed(p, end, 4, PRICE_MOST_E4, value);
  price_e4 = static_cast<int32_t>(value);
  return p;
}

#define DAILYARB_WORD(word)                        \
  do {                                             \
    if (!starts(p, end, word)) return nullptr;     \
    p += sizeof(word) - 1;                         \
  } while (0)
#define DAILYARB_STEP(expression)                  \
  do {                                             \
    p = (expression);                              \
    if (p == nullptr) return nullptr;              \
  } while (0)

// {"price":"0.86","size":"362.17"}, ... up to and including the closing bracket.
inline const char* PolymarketDecoder::scan_levels(const char* p, const char* end, int8_t side) {
  auto& levels = levels_[side];
  levels.clear();
  DAILYARB_WORD("[");
  if (starts(p, end, "]")) return p + 1;
  while (true) {
    Level level{0, 0, side};
    DAILYARB_WORD("{\"price\":\"");
    DAILYARB_STEP(scan_price(p, end, level.price_e4));
    DAILYARB_WORD("\",\"size\":\"");
    DAILYARB_STEP(scan_fixed(p, end, 6, SIZE_MOST_E6, level.size_e6));
    DAILYARB_WORD("\"}");
    levels.push_back(level);
    if (p == end) return nullptr;
    if (*p == ']') return p + 1;
    if (*p++ != ',') return nullptr;
  }
}

inline const char* PolymarketDecoder::scan_change(const char* p, const char* end, Row& row) {
  Text token = Text(), hash = Text();
  DAILYARB_WORD("{\"asset_id\":\"");
  DAILYARB_STEP(scan_text(p, end, token));
  DAILYARB_WORD("\",\"price\":\"");
  DAILYARB_STEP(scan_price(p, end, row.price_e4));
  DAILYARB_WORD("\",\"size\":\"");
  DAILYARB_STEP(scan_fixed(p, end, 6, SIZE_MOST_E6, row.size_e6));
  DAILYARB_WORD("\",\"side\":\"");
  if (starts(p, end, "BUY")) {
    row.side = 0;
    p += 3;
  } else {
    DAILYARB_WORD("SELL");
    row.side = 1;
  }
  DAILYARB_WORD("\",\"hash\":\"");
  DAILYARB_STEP(scan_text(p, end, hash));
  DAILYARB_WORD("\",\"best_bid\":\"");
  DAILYARB_STEP(scan_price(p, end, row.best_bid_e4));
  DAILYARB_WORD("\",\"best_ask\":\"");
  DAILYARB_STEP(scan_price(p, end, row.best_ask_e4));
  DAILYARB_WORD("\"}");
  row.kind = ROW_LEVEL;
  if (hash.length) row.hash64 = hash_text(hash.at, hash.length);
  const Token* const found = tokens_->find(token.at, token.length);
  if (found != nullptr) {
    row.slot = found->slot;
    row.market = found->market;
    row.outcome = found->outcome;
  }
  return p;
}

inline const char* PolymarketDecoder::scan_changes(const char* p, const char* end) {
  changes_.clear();
  DAILYARB_WORD("[");
  if (starts(p, end, "]")) return p + 1;
  while (true) {
    Row row;
    DAILYARB_STEP(scan_change(p, end, row));
    changes_.push_back(row);
    if (p == end) return nullptr;
    if (*p == ']') return p + 1;
    if (*p++ != ',') return nullptr;
  }
}

// Values of keys we do not read, beside strings: only the three words of JSON.
inline const char* scan_word(const char* p, const char* end) {
  if (starts(p, end, "false")) return p + 5;
  if (starts(p, end, "true") || starts(p, end, "null")) return p + 4;
  return nullptr;
}

inline bool PolymarketDecoder::scan(const char* frame, size_t size, RowBuffer& rows) {
  const char* p = frame + 1;
  const char* const end = frame + size;
  Event event;
  while (true) {
    if (p == end || *p++ != '"') return false;
    Text name, value = Text();
    if ((p = scan_text(p, end, name)) == nullptr || !starts(p, end, "\":")) return false;
    p += 2;
    const int key = key_of({name.at, name.length});
    if (key == KEY_CHANGES) p = scan_changes(p, end);
    else if (key == KEY_BIDS) p = scan_levels(p, end, 0);
    else if (key == KEY_ASKS) p = scan_levels(p, end, 1);
    else if (starts(p, end, "\"")) {
      p = scan_text(p + 1, end, value);
      if (p != nullptr) ++p;
    } else if (key == KEY_OTHER) {
      p = scan_word(p, end);
    } else {
      return false;
    }
    if (p == nullptr || p == end) return false;
    if (key != KEY_OTHER) event.fields.put(key, value);
    if (*p == '}') break;
    if (*p++ != ',') return false;
  }
  if (p + 1 != end || event.fields.twice) return false;
  const Text type = event.fields.get(KEY_EVENT);
  // Rare types keep their raw text, unknown ones a count: both belong to the slow road.
  if (!type.is("price_change", 12) && !type.is("book", 4) && !type.is("best_bid_ask", 12) &&
      !type.is("last_trade_price", 16))
    return false;
  const size_t before = rows.length;
  const uint64_t unknown_before = unknown_tokens;
  bool rare_event = false;
  if (finish(event, 0, rows, rare_event) == FAULT_NONE) return true;
  rows.length = before;
  unknown_tokens = unknown_before;
  return false;
}

#undef DAILYARB_WORD
#undef DAILYARB_STEP

}  // namespace dailyarb
