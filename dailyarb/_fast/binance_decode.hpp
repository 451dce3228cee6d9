// Binance spot stream frames to messages: raw or in the combined wrapper, any key order.
// As in polymarket_decode.hpp a hand scanner takes the two hottest shapes and simdjson the rest.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "binance_message.hpp"

namespace dailyarb {

enum SpotKey : int {
  SPOT_e = 0, SPOT_E, SPOT_s, SPOT_t, SPOT_p, SPOT_q, SPOT_T, SPOT_m, SPOT_a, SPOT_b, SPOT_A,
  SPOT_B, SPOT_u, SPOT_U, SPOT_f, SPOT_l, SPOT_id, SPOT_result, SPOT_code, SPOT_partial,
  SPOT_stream, SPOT_data, SPOT_COUNT, SPOT_OTHER = -1
};

inline int spot_key_of(std::string_view name) {
  if (name.size() == 1) {
    static constexpr char letters[] = "eEstpqTmabABuUfl";
    for (int i = 0; i < 16; ++i)
      if (letters[i] == name[0]) return i;
    return SPOT_OTHER;
  }
  if (name == "id") return SPOT_id;
  if (name == "result") return SPOT_result;
  if (name == "code" || name == "error") return SPOT_code;
  if (name == "lastUpdateId") return SPOT_partial;
  if (name == "stream") return SPOT_stream;
  return name == "data" ? SPOT_data : SPOT_OTHER;
}

struct SpotFields {
  Text text[SPOT_COUNT];
  uint32_t seen = 0, twice = 0;
  Fault levels[2] = {FAULT_TYPE, FAULT_TYPE};  // until an array of levels is there

  void put(int key, const Text& value) {
    twice |= seen & (1u << key);
    seen |= 1u << key;
    text[key] = value;
  }
  bool has(int key) const { return seen & (1u << key); }
  Text get(int key) const { return has(key) ? text[key] : Text(); }
  Fault check(std::initializer_list<int> needed) const {
    for (const int key : needed) {
      if (!has(key)) return FAULT_MISSING;
      if (twice & (1u << key)) return FAULT_DUPLICATE;
    }
    return FAULT_NONE;
  }
};

#ifndef DAILYARB_TRY
#define DAILYARB_TRY(expression)                      \
  do {                                                \
    const Fault fault_ = (expression);                \
    if (fault_ != FAULT_NONE) return fault_;          \
  } while (0)
#endif

class SpotDecoder {
 public:
  SpotDecoder(bool micros, size_t frame_most, bool scan)
      : time_most_(micros ? SPOT_TIME_MOST_MS * 1000 : SPOT_TIME_MOST_MS),
        to_ns_(micros ? 1000 : 1000000), frame_most_(frame_most), scan_(scan),
        parser_(frame_most) {}

  // Decodes one borrowed frame of `size` bytes, `capacity` of them readable.
  Fault decode(const char* frame, size_t size, size_t capacity, SpotMessage& message) noexcept {
    ++frames;
    message = SpotMessage();
    Fault fault = FAULT_SIZE;
    try {
      if (size > frame_most_) fault = FAULT_SIZE;
      else if (scan_ && scan(frame, frame + size, message)) ++scanned, fault = FAULT_NONE;
      else fault = parse(frame, size, capacity, message);
    } catch (const std::bad_alloc&) {
      fault = FAULT_SIZE;
    }
    if (fault != FAULT_NONE) ++faults, message = SpotMessage();
    return fault;
  }

  uint64_t frames = 0, faults = 0, ignored = 0, scanned = 0, unknown_more = 0;
  std::vector<std::pair<std::string, uint64_t>> unknown_types;  // at most 32

 private:
  using Value = simdjson::ondemand::value;
  using Field = simdjson::ondemand::field;

  static Fault fault_of(simdjson::error_code code) {
    switch (code) {
      case simdjson::SUCCESS: return FAULT_NONE;
      case simdjson::INCORRECT_TYPE: return FAULT_TYPE;
      case simdjson::DEPTH_ERROR: return FAULT_DEPTH;
      case simdjson::CAPACITY: return FAULT_SIZE;
      default: return FAULT_SYNTAX;
    }
  }

  Fault parse(const char* frame, size_t size, size_t capacity, SpotMessage& message);
  Fault parse_fields(simdjson::ondemand::object& object, SpotFields& fields, SpotFields* inner,
                     bool& has_inner);
  Fault parse_levels(Value& value, int side, Fault& inside);
  Fault take_level(Value& value, int side, Fault& inside);
  Fault text_of(Value& value, Text& text);

  bool scan(const char* p, const char* end, SpotMessage& message);
  const char* scan_quote(const char* p, const char* end, SpotMessage& message);
  const char* scan_trade(const char* p, const char* end, SpotMessage& message);

  Fault finish(const SpotFields& fields, SpotMessage& message);
  Fault finish_quote(const SpotFields& fields, SpotMessage& message);
  Fault finish_trade(const SpotFields& fields, bool aggregate, SpotMessage& message);
  Fault finish_depth(const SpotFields& fields, SpotMessage& message);
  Fault finish_answer(const SpotFields& fields, SpotMessage& message);
  Fault symbol_of(const SpotFields& fields, SpotMessage& message);
  Fault time_of(const Text& text, int64_t& ns);
  void count_unknown(std::string_view name);

  int64_t time_most_;
  int64_t to_ns_;
  size_t frame_most_;
  bool scan_;
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_;
  std::vector<SpotLevel> levels_[2];
};

inline bool spot_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The first byte of a value tells its type; simdjson's own type() refuses NaN, which we may skip.
inline char spot_first(simdjson::ondemand::value& value) {
  const std::string_view token = value.raw_json_token();
  return token.empty() ? '\0' : token.front();
}

// Gives the text of a scalar; an object or array is TEXT_OTHER and left to be skipped.
inline Fault SpotDecoder::text_of(Value& value, Text& text) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && spot_space(token.back())) token.remove_suffix(1);
  if (token.empty()) return FAULT_SYNTAX;
  const char first = token.front();
  if (first != '"') {
    TextKind kind = TEXT_OTHER;
    if (starts_number(token.data(), token.size())) kind = TEXT_NUMBER;
    else if (token == "null") kind = TEXT_NULL;
    text = {token.data(), static_cast<uint32_t>(token.size()), kind};
    return FAULT_NONE;
  }
  const char* const end = token.data() + token.size();
  const char* const quote = scan_string(token.data() + 1, end);
  if (quote != nullptr) {
    if (quote + 1 != end) return FAULT_SYNTAX;
    text = {token.data() + 1, static_cast<uint32_t>(quote - token.data() - 1), TEXT_STRING};
    return FAULT_NONE;
  }
  std::string_view plain;
  const auto error = value.get_string(true).get(plain);
  if (error) return fault_of(error);
  text = {plain.data(), static_cast<uint32_t>(plain.size()), TEXT_STRING};
  return FAULT_NONE;
}

inline Fault SpotDecoder::parse(const char* frame, size_t size, size_t capacity,
                                SpotMessage& message) {
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
  if (type != simdjson::ondemand::json_type::object) return FAULT_TYPE;
  simdjson::ondemand::object object;
  if ((error = document.get_object().get(object))) return fault_of(error);
  SpotFields outer, inner;
  bool has_inner = false;
  DAILYARB_TRY(parse_fields(object, outer, &inner, has_inner));
  if (!document.at_end()) return FAULT_SYNTAX;
  if (!outer.has(SPOT_data)) return finish(outer, message);
  DAILYARB_TRY(outer.check({SPOT_data}));
  if (has_inner) return finish(inner, message);
  count_unknown("data");
  return FAULT_NONE;
}

inline Fault SpotDecoder::parse_fields(simdjson::ondemand::object& object, SpotFields& fields,
                                       SpotFields* inner, bool& has_inner) {
  for (auto result : object) {
    Field field;
    auto error = std::move(result).get(field);
    if (error) return fault_of(error);
    std::string_view name = field.escaped_key();
    int key = spot_key_of(name);
    if (key == SPOT_OTHER && std::memchr(name.data(), '\\', name.size()) != nullptr) {
      if ((error = field.unescaped_key(true).get(name))) return fault_of(error);
      key = spot_key_of(name);
    }
    if (key == SPOT_OTHER) continue;
    Value value = field.value();
    const char first = spot_first(value);
    if (key == SPOT_data && inner != nullptr && first == '{') {
      fields.put(key, {"", 0, TEXT_OTHER});
      simdjson::ondemand::object nested;
      if ((error = value.get_object().get(nested))) return fault_of(error);
      *inner = SpotFields();
      has_inner = true;
      bool deeper = false;
      DAILYARB_TRY(parse_fields(nested, *inner, nullptr, deeper));
    } else if ((key == SPOT_b || key == SPOT_a) && first == '[') {
      fields.put(key, {"", 0, TEXT_OTHER});
      const int side = key == SPOT_b ? 0 : 1;
      DAILYARB_TRY(parse_levels(value, side, fields.levels[side]));
    } else {
      Text text = Text();
      DAILYARB_TRY(text_of(value, text));
      fields.put(key, text);
    }
  }
  return FAULT_NONE;
}

inline Fault SpotDecoder::parse_levels(Value& value, int side, Fault& inside) {
  levels_[side].clear();
  inside = FAULT_NONE;
  simdjson::ondemand::array array;
  auto error = value.get_array().get(array);
  if (error) return fault_of(error);
  for (auto element : array) {
    Value item;
    if ((error = element.get(item))) return fault_of(error);
    DAILYARB_TRY(take_level(item, side, inside));
  }
  return FAULT_NONE;
}

// One ["price","size"] pair.
inline Fault SpotDecoder::take_level(Value& value, int side, Fault& inside) {
  if (spot_first(value) != '[') {
    if (inside == FAULT_NONE) inside = FAULT_TYPE;
    return FAULT_NONE;
  }
  simdjson::ondemand::array pair;
  auto error = value.get_array().get(pair);
  if (error) return fault_of(error);
  Text text[2] = {};
  size_t count = 0;
  for (auto element : pair) {
    Value item;
    if ((error = element.get(item))) return fault_of(error);
    Text part = Text();
    DAILYARB_TRY(text_of(item, part));
    if (count < 2) text[count] = part;
    ++count;
  }
  SpotLevel level{0, 0};
  Fault fault = count == 2 ? FAULT_NONE : FAULT_TYPE;
  if (fault == FAULT_NONE) fault = parse_fixed(text[0], 8, SPOT_MOST_E8, level.price_e8);
  if (fault == FAULT_NONE) fault = parse_fixed(text[1], 8, SPOT_SIZE_MOST_E8, level.size_e8);
  if (fault == FAULT_NONE) levels_[side].push_back(level);
  else if (inside == FAULT_NONE) inside = fault;
  return FAULT_NONE;
}

// --- fields to a message -----------------------------------------------------------------------

inline void SpotDecoder::count_unknown(std::string_view name) {
  ++ignored;
  name = name.substr(0, 64);
  for (auto& known : unknown_types) {
    if (known.first == name) {
      ++known.second;
      return;
    }
  }
  if (unknown_types.size() < 32) unknown_types.emplace_back(std::string(name), 1);
  else ++unknown_more;
}

inline Fault SpotDecoder::time_of(const Text& text, int64_t& ns) {
  int64_t value = 0;
  DAILYARB_TRY(parse_fixed(text, 0, time_most_, value));
  ns = value * to_ns_;
  return FAULT_NONE;
}

inline Fault SpotDecoder::symbol_of(const SpotFields& fields, SpotMessage& message) {
  message.symbol = fields.get(SPOT_s);
  return message.symbol.kind == TEXT_STRING ? FAULT_NONE : FAULT_TYPE;
}

inline Fault SpotDecoder::finish(const SpotFields& fields, SpotMessage& message) {
  if (!fields.has(SPOT_e)) {
    if (fields.has(SPOT_u) || fields.has(SPOT_B) || fields.has(SPOT_A))
      return finish_quote(fields, message);
    if (fields.has(SPOT_id)) return finish_answer(fields, message);
    count_unknown(fields.has(SPOT_partial) ? "lastUpdateId" : "");
    return FAULT_NONE;
  }
  DAILYARB_TRY(fields.check({SPOT_e}));
  const Text type = fields.get(SPOT_e);
  if (type.kind != TEXT_STRING) return FAULT_TYPE;
  if (type.is("trade", 5)) return finish_trade(fields, false, message);
  if (type.is("aggTrade", 8)) return finish_trade(fields, true, message);
  if (type.is("depthUpdate", 11)) return finish_depth(fields, message);
  if (type.is("serverShutdown", 14)) {
    DAILYARB_TRY(fields.check({SPOT_E}));
    message.kind = SPOT_SHUTDOWN;
    return time_of(fields.get(SPOT_E), message.event_ns);
  }
  message.name = type;
  count_unknown({type.at, type.length});
  return FAULT_NONE;
}

inline Fault SpotDecoder::finish_quote(const SpotFields& fields, SpotMessage& message) {
  DAILYARB_TRY(fields.check({SPOT_u, SPOT_s, SPOT_b, SPOT_B, SPOT_a, SPOT_A}));
  DAILYARB_TRY(symbol_of(fields, message));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_u), 0, SPOT_ID_MOST, message.id));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_b), 8, SPOT_MOST_E8, message.bid_e8));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_B), 8, SPOT_SIZE_MOST_E8, message.bid_size_e8));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_a), 8, SPOT_MOST_E8, message.ask_e8));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_A), 8, SPOT_SIZE_MOST_E8, message.ask_size_e8));
  message.kind = SPOT_QUOTE;
  return FAULT_NONE;
}

inline Fault SpotDecoder::finish_trade(const SpotFields& fields, bool aggregate,
                                       SpotMessage& message) {
  DAILYARB_TRY(fields.check({SPOT_E, SPOT_s, SPOT_p, SPOT_q, SPOT_T, SPOT_m}));
  DAILYARB_TRY(symbol_of(fields, message));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_p), 8, SPOT_MOST_E8, message.price_e8));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_q), 8, SPOT_SIZE_MOST_E8, message.size_e8));
  DAILYARB_TRY(time_of(fields.get(SPOT_T), message.trade_ns));
  DAILYARB_TRY(time_of(fields.get(SPOT_E), message.event_ns));
  const Text maker = fields.get(SPOT_m);
  const std::string_view word(maker.at, maker.length);
  if (maker.kind != TEXT_OTHER || (word != "true" && word != "false")) return FAULT_TYPE;
  message.maker_bought = word == "true";
  if (aggregate) {
    DAILYARB_TRY(fields.check({SPOT_a, SPOT_f, SPOT_l}));
    DAILYARB_TRY(parse_fixed(fields.get(SPOT_a), 0, SPOT_ID_MOST, message.id));
    DAILYARB_TRY(parse_fixed(fields.get(SPOT_f), 0, SPOT_ID_MOST, message.first_id));
    DAILYARB_TRY(parse_fixed(fields.get(SPOT_l), 0, SPOT_ID_MOST, message.last_id));
  } else {
    DAILYARB_TRY(fields.check({SPOT_t}));
    DAILYARB_TRY(parse_fixed(fields.get(SPOT_t), 0, SPOT_ID_MOST, message.id));
  }
  message.kind = aggregate ? SPOT_AGG : SPOT_TRADE;
  return FAULT_NONE;
}

inline Fault SpotDecoder::finish_depth(const SpotFields& fields, SpotMessage& message) {
  DAILYARB_TRY(fields.check({SPOT_E, SPOT_s, SPOT_U, SPOT_u, SPOT_b, SPOT_a}));
  DAILYARB_TRY(symbol_of(fields, message));
  DAILYARB_TRY(time_of(fields.get(SPOT_E), message.event_ns));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_U), 0, SPOT_ID_MOST, message.first_id));
  DAILYARB_TRY(parse_fixed(fields.get(SPOT_u), 0, SPOT_ID_MOST, message.id));
  for (const Fault inside : fields.levels) DAILYARB_TRY(inside);
  message.kind = SPOT_DEPTH;
  message.levels = levels_;
  return FAULT_NONE;
}

inline Fault SpotDecoder::finish_answer(const SpotFields& fields, SpotMessage& message) {
  DAILYARB_TRY(fields.check({SPOT_id}));
  if (fields.has(SPOT_code)) message.kind = SPOT_ERROR;
  else if (fields.has(SPOT_result)) message.kind = SPOT_RESULT;
  else return FAULT_MISSING;
  const Text id = fields.get(SPOT_id);
  if (id.kind == TEXT_STRING || id.kind == TEXT_NUMBER) message.name = id;
  return FAULT_NONE;
}

// --- hand scanner ------------------------------------------------------------------------------

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

inline const char* scan_symbol(const char* p, const char* end, SpotMessage& message) {
  const char* const quote = scan_string(p, end);
  if (quote != nullptr)
    message.symbol = {p, static_cast<uint32_t>(quote - p), TEXT_STRING};
  return quote;
}

inline const char* SpotDecoder::scan_quote(const char* p, const char* end,
                                           SpotMessage& message) {
  DAILYARB_WORD("{\"u\":");
  DAILYARB_STEP(scan_integer(p, end, SPOT_ID_MOST, message.id));
  DAILYARB_WORD(",\"s\":\"");
  DAILYARB_STEP(scan_symbol(p, end, message));
  DAILYARB_WORD("\",\"b\":\"");
  DAILYARB_STEP(scan_fixed(p, end, 8, SPOT_MOST_E8, message.bid_e8));
  DAILYARB_WORD("\",\"B\":\"");
  DAILYARB_STEP(scan_fixed(p, end, 8, SPOT_SIZE_MOST_E8, message.bid_size_e8));
  DAILYARB_WORD("\",\"a\":\"");
  DAILYARB_STEP(scan_fixed(p, end, 8, SPOT_MOST_E8, message.ask_e8));
  DAILYARB_WORD("\",\"A\":\"");
  DAILYARB_STEP(scan_fixed(p, end, 8, SPOT_SIZE_MOST_E8, message.ask_size_e8));
  DAILYARB_WORD("\"}");
  message.kind = SPOT_QUOTE;
  return p;
}

inline const char* SpotDecoder::scan_trade(const char* p, const char* end,
                                           SpotMessage& message) {
  DAILYARB_WORD("{\"e\":\"trade\",\"E\":");
  DAILYARB_STEP(scan_integer(p, end, time_most_, message.event_ns));
  DAILYARB_WORD(",\"s\":\"");
  DAILYARB_STEP(scan_symbol(p, end, message));
  DAILYARB_WORD("\",\"t\":");
  DAILYARB_STEP(scan_integer(p, end, SPOT_ID_MOST, message.id));
  DAILYARB_WORD(",\"p\":\"");
  DAILYARB_STEP(scan_fixed(p, end, 8, SPOT_MOST_E8, message.price_e8));
  DAILYARB_WORD("\",\"q\":\"");
  DAILYARB_STEP(scan_fixed(p, end, 8, SPOT_SIZE_MOST_E8, message.size_e8));
  DAILYARB_WORD("\",\"T\":");
  DAILYARB_STEP(scan_integer(p, end, time_most_, message.trade_ns));
  DAILYARB_WORD(",\"m\":");
  message.maker_bought = starts(p, end, "true");
  if (message.maker_bought) {
    p += 4;
  } else {
    DAILYARB_WORD("false");
  }
  DAILYARB_WORD(",\"M\":");
  if (starts(p, end, "true")) {
    p += 4;
  } else {
    DAILYARB_WORD("false");
  }
  DAILYARB_WORD("}");
  message.event_ns *= to_ns_;
  message.trade_ns *= to_ns_;
  message.kind = SPOT_TRADE;
  return p;
}

inline bool SpotDecoder::scan(const char* p, const char* end, SpotMessage& message) {
  const bool combined = starts(p, end, "{\"stream\":\"");
  if (combined) {
    p = scan_string(p + 11, end);
    if (p == nullptr || !starts(p, end, "\",\"data\":")) return false;
    p += 9;
  }
  if (starts(p, end, "{\"u\":")) p = scan_quote(p, end, message);
  else if (starts(p, end, "{\"e\":\"trade\"")) p = scan_trade(p, end, message);
  else return false;
  if (p != nullptr && combined) p = p != end && *p == '}' ? p + 1 : nullptr;
  if (p == end) return true;
  message = SpotMessage();
  return false;
}

#undef DAILYARB_WORD
#undef DAILYARB_STEP

}  // namespace dailyarb
