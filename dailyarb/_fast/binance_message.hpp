// What one Binance frame says, without JSON: the decoder writes it, the spot router reads it.
#pragma once

#include <vector>

#include "text.hpp"

namespace dailyarb {

enum SpotKind : int {
  SPOT_IGNORED = 0, SPOT_QUOTE, SPOT_TRADE, SPOT_AGG, SPOT_DEPTH, SPOT_SHUTDOWN, SPOT_RESULT,
  SPOT_ERROR
};

constexpr int64_t SPOT_MOST_E8 = 100000000000000000;        // a billion dollars
constexpr int64_t SPOT_SIZE_MOST_E8 = 1000000000000000000;  // ten billion units
constexpr int64_t SPOT_ID_MOST = 1000000000000000000;
constexpr int64_t SPOT_TIME_MOST_MS = 9000000000000;  // keeps nanoseconds inside 63 bits

struct SpotLevel {
  int64_t price_e8;
  int64_t size_e8;
};

// Texts point into the frame or the decoder's buffer: valid until the next frame.
struct SpotMessage {
  int kind = SPOT_IGNORED;
  Text symbol{};
  Text name{};          // id of an answer, or the name of an ignored event
  int64_t id = 0;       // u of a quote or depth, t of a trade, a of an aggregate
  int64_t first_id = 0; // U of a depth, f of an aggregate
  int64_t last_id = 0;  // l of an aggregate
  int64_t bid_e8 = 0, bid_size_e8 = 0, ask_e8 = 0, ask_size_e8 = 0;
  int64_t price_e8 = 0, size_e8 = 0;
  int64_t trade_ns = 0, event_ns = 0;
  bool maker_bought = false;  // `m`: true is an aggressive sell
  const std::vector<SpotLevel>* levels = nullptr;  // [0] bids, [1] asks of a depth
};

}  // namespace dailyarb
