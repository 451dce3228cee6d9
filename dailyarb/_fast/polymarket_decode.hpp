// Market-channel frames to rows. One pass, any key order, all or nothing per frame.
//
// Two front ends fill the same `Event`: a hand scanner for the compact frames the venue really
// sends, and simdjson on-demand for everything else. The scanner gives up on any surprise, so
// what is a fault, and which, is decided behind simdjson alone; a differential fuzz keeps both
// equal. Faults inside a field are kept until the event's type says whether the field counts.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>

#include "polymarket_rows.hpp"

namespace dailyarb {

enum Key : int {
  KEY_EVENT = 0, KEY_STAMP, KEY_ASSET, KEY_CHANGES, KEY_BIDS, KEY_ASKS, KEY_HASH, KEY_PRICE,
  KEY_SIZE, KEY_SIDE, KEY_BEST_BID, KEY_BEST_ASK, KEY_FEE, KEY_NEW_TICK, KEY_TICK, KEY_TX,
  KEY_WINNER, KEY_COUNT, KEY_OTHER = -1
};

constexpr uint32_t bit(int key) { return 1u << key; }

inline int key_of(std::string_view name) {
  switch (name.size()) {
    case 4:
      if (name == "bids") return KEY_BIDS;
      if (name == "asks") return KEY_ASKS;
      if (name == "hash") return KEY_HASH;
      if (name == "size") return KEY_SIZE;
      if (name == "side") return KEY_SIDE;
      return KEY_OTHER;
    case 5: return name == "price" ? KEY_PRICE : KEY_OTHER;
    case 8:
      if (name == "asset_id") return KEY_ASSET;
      if (name == "best_bid") return KEY_BEST_BID;
      if (name == "best_ask") return KEY_BEST_ASK;
      return KEY_OTHER;
    case 9:
      if (name == "timestamp") return KEY_STAMP;
      return name == "tick_size" ? KEY_TICK : KEY_OTHER;
    case 10: return name == "event_type" ? KEY_EVENT : KEY_OTHER;
    case 12: return name == "fee_rate_bps" ? KEY_FEE : KEY_OTHER;
    case 13:
      if (name == "price_changes") return KEY_CHANGES;
      return name == "new_tick_size" ? KEY_NEW_TICK : KEY_OTHER;
    case 16:
      if (name == "transaction_hash") return KEY_TX;
      return name == "winning_asset_id" ? KEY_WINNER : KEY_OTHER;
    default: return KEY_OTHER;
  }
}

// The scalars of one object; a bit says which are there, another which came twice.
struct Fields {
  Text text[KEY_COUNT];
  uint32_t seen = 0;
  uint32_t twice = 0;

  void note(int key) {
    twice |= seen & bit(key);
    seen |= bit(key);
  }
  void put(int key, const Text& value) {
    note(key);
    text[key] = value;
  }
  Text get(int key) const { return seen & bit(key) ? text[key] : Text(); }
};

struct Level {
  int64_t size_e6;
  int32_t price_e4;
  int8_t side;
};

struct Event {
  Fields fields;
  Fault changes = FAULT_NONE;  // what is wrong inside price_changes
  Fault levels[2] = {FAULT_NONE, FAULT_NONE};
};

class PolymarketDecoder {
 public:
  PolymarketDecoder(const TokenTable* tokens, size_t frame_most, bool scan)
      : tokens_(tokens), frame_most_(frame_most), scan_(scan), parser_(frame_most) {}

  // Decodes one borrowed frame of `size` bytes, `capacity` of them readable.
  // Rows are appended to `rows`; on a fault none are. Memory that cannot be had is FAULT_SIZE.
  Fault decode(const char* frame, size_t size, size_t capacity, RowBuffer& rows) noexcept {
    ++frames;
    const size_t before = rows.length;
    const uint64_t rare_before = rare_seen_;
    Fault fault = FAULT_SIZE;
    try {
      fault = decode_frame(frame, size, capacity, rows);
    } catch (const std::bad_alloc&) {
      fault = FAULT_SIZE;
    }
    if (fault != FAULT_NONE) {
      ++faults;
      rows.length = before;
      for (; rare_seen_ > rare_before && !rare.empty(); --rare_seen_) rare.pop_back();
    }
    return fault;
  }

  uint64_t frames = 0, faults = 0, ignored = 0, unknown_tokens = 0, rare_dropped = 0, scanned = 0;
  std::vector<std::pair<std::string, uint64_t>> unknown_types;  // at most 32, then `unknown_more`
  uint64_t unknown_more = 0;
  std::deque<std::string> rare;  // raw market_resolved and new_market objects, newest 256
  const char* control = "";      // the last control text

 private:
  using Value = simdjson::ondemand::value;

  Fault decode_frame(const char* frame, size_t size, size_t capacity, RowBuffer& rows);
  bool take_control(const char* frame, size_t size);

  // simdjson on-demand
  Fault parse(const char* frame, size_t size, size_t capacity, RowBuffer& rows);
  Fault parse_object(Value& value, int group, RowBuffer& rows);
  Fault parse_field(simdjson::ondemand::field& field, Event& event);
  Fault parse_changes(Value& value, Fault& inside);
  Fault parse_levels(Value& value, int8_t side, Fault& inside);
  Fault parse_flat(Value& value, Fields& fields, bool& is_object);
  Fault text_of(Value& value, Text& text);

  // hand scanner: false means "not for me"
  bool scan(const char* frame, size_t size, RowBuffer& rows);
  const char* scan_levels(const char* p, const char* end, int8_t side);
  const char* scan_changes(const char* p, const char* end);
  const char* scan_change(const char* p, const char* end, Row& row);

  // shared
  Fault take_change(const Fields& fields);
  Fault take_level(const Fields& fields, int8_t side);
  Fault finish(const Event& event, int group, RowBuffer& rows, bool& rare_event);
  Fault finish_changes(const Event& event, int group, RowBuffer& rows);
  Fault finish_book(const Event& event, int group, RowBuffer& rows);
  Fault finish_trade(const Event& event, int group, RowBuffer& rows);
  Fault finish_tick(const Event& event, int group, RowBuffer& rows);
  Fault finish_top(const Event& event, int group, RowBuffer& rows);
  Fault finish_resolved(const Event& event, int group, RowBuffer& rows, bool& rare_event);
  Fault finish_new_market(int group, RowBuffer& rows);
  Fault find_token(const Text& text, const Token*& token);
  void count_unknown(const Text& type);
  void keep_rare(std::string_view raw);

  const TokenTable* tokens_;
  size_t frame_most_;
  bool scan_;
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_;
  std::vector<Row> changes_;
  std::vector<Level> levels_[2];
  uint64_t rare_seen_ = 0;
};

// --- faults and optional fields -----------------------------------------------------------------

inline Fault fault_of(simdjson::error_code code) {
  switch (code) {
    case simdjson::SUCCESS: return FAULT_NONE;
    case simdjson::INCORRECT_TYPE: return FAULT_TYPE;
    case simdjson::DEPTH_ERROR: return FAULT_DEPTH;
    case simdjson::CAPACITY: return FAULT_SIZE;
    default: return FAULT_SYNTAX;
  }
}

inline Fault check_keys(const Fields& fields, uint32_t needed, uint32_t read) {
  if ((fields.seen & needed) != needed) return FAULT_MISSING;
  if (fields.twice & (needed | read)) return FAULT_DUPLICATE;
  return FAULT_NONE;
}

inline Fault price_of(const Text& text, int32_t& price_e4) {
  int64_t value = 0;
  const Fault fault = parse_fixed(text, 4, PRICE_MOST_E4, value);
  if (fault == FAULT_NONE) price_e4 = static_cast<int32_t>(value);
  return fault;
}

inline Fault optional_price(const Text& text, int32_t& price_e4) {
  return text.empty_or_null() ? FAULT_NONE : price_of(text, price_e4);
}

inline Fault optional_hash(const Text& text, uint64_t& hash) {
  if (text.empty_or_null()) return FAULT_NONE;
  if (text.kind != TEXT_STRING) return FAULT_TYPE;
  hash = hash_text(text.at, text.length);
  return FAULT_NONE;
}

inline Fault side_of(const Text& text, int8_t& side) {
  if (text.is("BUY", 3)) side = 0;
  else if (text.is("SELL", 4)) side = 1;
  else return FAULT_TYPE;
  return FAULT_NONE;
}

#define DAILYARB_TRY(expression)                      \
  do {                                                \
    const Fault fault_ = (expression);                \
    if (fault_ != FAULT_NONE) return fault_;          \
  } while (0)

// --- frame -------------------------------------------------------------------------------------

inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

inline bool PolymarketDecoder::take_control(const char* frame, size_t size) {
  while (size && is_space(frame[size - 1])) --size;
  for (const char* word : {"PONG", "PING", "INVALID OPERATION"}) {
    if (size == std::strlen(word) && std::memcmp(frame, word, size) == 0) {
      control = word;
      ++ignored;
      return true;
    }
  }
  return false;
}

inline Fault PolymarketDecoder::decode_frame(const char* frame, size_t size, size_t capacity,
                                             RowBuffer& rows) {
  if (size > frame_most_) return FAULT_SIZE;
  if (scan_ && size > 2 && frame[0] == '{' && scan(frame, size, rows)) {
    ++scanned;
    return FAULT_NONE;
  }
  if (size && frame[0] != '{' && frame[0] != '[' && take_control(frame, size)) return FAULT_NONE;
  return parse(frame, size, capacity, rows);
}

inline Fault PolymarketDecoder::parse(const char* frame, size_t size, size_t capacity,
                                      RowBuffer& rows) {
  if (capacity < size + simdjson::SIMDJSON_PADDING) {
    if (padded_.size() < size + simdjson::SIMDJSON_PADDING)
      padded_.resize(std::max<size_t>(2 * padded_.size(), size + simdjson::SIMDJSON_PADDING));
    std::memcpy(padded_.data(), frame, size);
    std::memset(padded_.data() + size, ' ', simdjson::SIMDJSON_PADDING);
    frame = padded_.data();
    capacity = padded_.size();
  }
  simdjson::ondemand::document document;
  auto error = parser_.iterate(simdjson::padded_string_view(frame, size, capacity)).get(document);
  if (error) return fault_of(error);
  simdjson::ondemand::json_type type;
  if ((error = document.type().get(type))) return fault_of(error);
  if (type == simdjson::ondemand::json_type::object) {
    Value value;
    if ((error = document.get_value().get(value))) return fault_of(error);
    DAILYARB_TRY(parse_object(value, 0, rows));
  } else if (type == simdjson::ondemand::json_type::array) {
    simdjson::ondemand::array array;
    if ((error = document.get_array().get(array))) return fault_of(error);
    int group = 0;
    for (auto element : array) {
      Value value;
      if ((error = element.get(value))) return fault_of(error);
      DAILYARB_TRY(parse_object(value, group++, rows));
    }
  } else {
    return FAULT_TYPE;
  }
  return document.at_end() ? FAULT_NONE : FAULT_SYNTAX;
}

// --- simdjson on-demand ------------------------------------------------------------------------

// The first byte of a value tells its type; simdjson's own type() refuses NaN, which we may skip.
inline char first_of(simdjson::ondemand::value& value) {
  const std::string_view token = value.raw_json_token();
  return token.empty() ? '\0' : token.front();
}

// Gives the text of a scalar without consuming it; escapes are resolved in the parser's buffer.
inline Fault PolymarketDecoder::text_of(Value& value, Text& text) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
  if (token.empty()) return FAULT_SYNTAX;
  const char first = token.front();
  if (first == '"') {
    const char* const begin = token.data() + 1;
    const char* const end = token.data() + token.size();
    const char* const quote = scan_string(begin, end);
    if (quote != nullptr) {
      if (quote + 1 != end) return FAULT_SYNTAX;
      text = {begin, static_cast<uint32_t>(quote - begin), TEXT_STRING};
      return FAULT_NONE;
    }
    std::string_view plain;
    const auto error = value.get_string(true).get(plain);
    if (error) return fault_of(error);
    text = {plain.data(), static_cast<uint32_t>(plain.size()), TEXT_STRING};
    return FAULT_NONE;
  }
  TextKind kind = TEXT_OTHER;
  if (starts_number(token.data(), token.size())) kind = TEXT_NUMBER;
  else if (token == "null") kind = TEXT_NULL;
  text = {token.data(), static_cast<uint32_t>(token.size()), kind};
  return FAULT_NONE;
}

// Names the key; one that carries escapes is resolved first.
inline Fault key_in(simdjson::ondemand::field& field, int& key) {
  std::string_view name = field.escaped_key();
  key = key_of(name);
  if (key != KEY_OTHER || std::memchr(name.data(), '\\', name.size()) == nullptr)
    return FAULT_NONE;
  const auto error = field.unescaped_key(true).get(name);
  if (error) return fault_of(error);
  key = key_of(name);
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::parse_field(simdjson::ondemand::field& field, Event& event) {
  int key = KEY_OTHER;
  DAILYARB_TRY(key_in(field, key));
  Value value = field.value();
  if (key == KEY_OTHER) return FAULT_NONE;
  if (key == KEY_CHANGES) {
    event.fields.note(key);
    return parse_changes(value, event.changes);
  }
  if (key == KEY_BIDS || key == KEY_ASKS) {
    event.fields.note(key);
    const int8_t side = key == KEY_BIDS ? 0 : 1;
    return parse_levels(value, side, event.levels[side]);
  }
  Text text = Text();
  DAILYARB_TRY(text_of(value, text));
  event.fields.put(key, text);
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::parse_object(Value& value, int group, RowBuffer& rows) {
  simdjson::ondemand::object object;
  auto error = value.get_object().get(object);
  if (error) return fault_of(error);
  Event event;
  for (auto result : object) {
    simdjson::ondemand::field field;
    if ((error = std::move(result).get(field))) return fault_of(error);
    DAILYARB_TRY(parse_field(field, event));
  }
  bool rare_event = false;
  DAILYARB_TRY(finish(event, group, rows, rare_event));
  if (rare_event) {
    std::string_view raw;
    bool empty = false;
    if ((error = object.reset().get(empty))) return fault_of(error);
    if ((error = object.raw_json().get(raw))) return fault_of(error);
    keep_rare(raw);
  }
  return FAULT_NONE;
}

// Reads the scalars of a nested object; what is not an object is left to be skipped.
inline Fault PolymarketDecoder::parse_flat(Value& value, Fields& fields, bool& is_object) {
  is_object = first_of(value) == '{';
  if (!is_object) return FAULT_NONE;
  simdjson::ondemand::object object;
  auto error = value.get_object().get(object);
  if (error) return fault_of(error);
  for (auto result : object) {
    simdjson::ondemand::field field;
    if ((error = std::move(result).get(field))) return fault_of(error);
    int key = KEY_OTHER;
    DAILYARB_TRY(key_in(field, key));
    if (key == KEY_OTHER) continue;
    Value inner = field.value();
    Text text = Text();
    DAILYARB_TRY(text_of(inner, text));
    fields.put(key, text);
  }
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::parse_changes(Value& value, Fault& inside) {
  changes_.clear();
  if (first_of(value) != '[') {
    inside = FAULT_TYPE;
    return FAULT_NONE;
  }
  simdjson::ondemand::array array;
  auto error = value.get_array().get(array);
  if (error) return fault_of(error);
  for (auto element : array) {
    Value item;
    if ((error = element.get(item))) return fault_of(error);
    Fields fields;
    bool is_object = false;
    DAILYARB_TRY(parse_flat(item, fields, is_object));
    if (inside == FAULT_NONE) inside = is_object ? take_change(fields) : FAULT_TYPE;
  }
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::parse_levels(Value& value, int8_t side, Fault& inside) {
  levels_[side].clear();
  if (first_of(value) != '[') {
    inside = FAULT_TYPE;
    return FAULT_NONE;
  }
  simdjson::ondemand::array array;
  auto error = value.get_array().get(array);
  if (error) return fault_of(error);
  for (auto element : array) {
    Value item;
    if ((error = element.get(item))) return fault_of(error);
    Fields fields;
    bool is_object = false;
    DAILYARB_TRY(parse_flat(item, fields, is_object));
    if (inside == FAULT_NONE) inside = is_object ? take_level(fields, side) : FAULT_TYPE;
  }
  return FAULT_NONE;
}

// --- fields to scratch -------------------------------------------------------------------------

inline Fault PolymarketDecoder::find_token(const Text& text, const Token*& token) {
  if (text.kind != TEXT_STRING) return FAULT_TYPE;
  token = tokens_->find(text.at, text.length);
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::take_change(const Fields& fields) {
  constexpr uint32_t needed = bit(KEY_ASSET) | bit(KEY_PRICE) | bit(KEY_SIZE) | bit(KEY_SIDE);
  constexpr uint32_t read = bit(KEY_HASH) | bit(KEY_BEST_BID) | bit(KEY_BEST_ASK);
  DAILYARB_TRY(check_keys(fields, needed, read));
  Row row;
  row.kind = ROW_LEVEL;
  const Token* token = nullptr;
  DAILYARB_TRY(find_token(fields.get(KEY_ASSET), token));
  DAILYARB_TRY(price_of(fields.get(KEY_PRICE), row.price_e4));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_SIZE), 6, SIZE_MOST_E6, row.size_e6));
  DAILYARB_TRY(side_of(fields.get(KEY_SIDE), row.side));
  DAILYARB_TRY(optional_hash(fields.get(KEY_HASH), row.hash64));
  DAILYARB_TRY(optional_price(fields.get(KEY_BEST_BID), row.best_bid_e4));
  DAILYARB_TRY(optional_price(fields.get(KEY_BEST_ASK), row.best_ask_e4));
  if (token != nullptr) {
    row.slot = token->slot;
    row.market = token->market;
    row.outcome = token->outcome;
  }
  changes_.push_back(row);
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::take_level(const Fields& fields, int8_t side) {
  DAILYARB_TRY(check_keys(fields, bit(KEY_PRICE) | bit(KEY_SIZE), 0));
  Level level{0, 0, side};
  DAILYARB_TRY(price_of(fields.get(KEY_PRICE), level.price_e4));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_SIZE), 6, SIZE_MOST_E6, level.size_e6));
  levels_[side].push_back(level);
  return FAULT_NONE;
}

inline void PolymarketDecoder::count_unknown(const Text& type) {
  const std::string_view name(type.at, std::min<size_t>(type.length, 64));
  for (auto& known : unknown_types) {
    if (known.first == name) {
      ++known.second;
      return;
    }
  }
  if (unknown_types.size() < 32) unknown_types.emplace_back(std::string(name), 1);
  else ++unknown_more;
}

inline void PolymarketDecoder::keep_rare(std::string_view raw) {
  while (!raw.empty() && is_space(raw.back())) raw.remove_suffix(1);
  if (raw.size() > 65536) {
    ++rare_dropped;
    return;
  }
  if (rare.size() == 256) {
    rare.pop_front();
    ++rare_dropped;
  }
  rare.emplace_back(raw);
  ++rare_seen_;
}

}  // namespace dailyarb

#include "polymarket_finish.hpp"
#include "polymarket_scan.hpp"
