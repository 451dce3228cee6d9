// Spot reference per symbol: the newest quote, trade flow since it was last taken, gaps.
#pragma once

#include <string>
#include <vector>

#include "binance_message.hpp"

namespace dailyarb {

enum SpotFlag : int {
  SPOT_FLAG_QUOTE = 1, SPOT_FLAG_TRADE = 2, SPOT_FLAG_DEPTH = 4, SPOT_FLAG_GAP = 8,
  SPOT_FLAG_SHUTDOWN = 16, SPOT_FLAG_FAULT = 256
};

struct SpotSymbol {
  std::string name;
  int64_t update_id = -1;
  int64_t bid_e8 = 0, bid_size_e8 = 0, ask_e8 = 0, ask_size_e8 = 0;
  int64_t quote_recv_ns = 0;
  int64_t recv_ns = 0;  // any message of the symbol
  int64_t trade_id = -1, agg_id = -1;
  unsigned __int128 buy_e8 = 0, sell_e8 = 0;
  uint64_t trades = 0, buys = 0;
  int64_t last_price_e8 = 0, last_event_ns = 0;
  int64_t depth_id = -1, depth_event_ns = 0;
  int pending = 0;

  uint64_t buy_high() const { return static_cast<uint64_t>(buy_e8 >> 64); }
  uint64_t buy_low() const { return static_cast<uint64_t>(buy_e8); }
  uint64_t sell_high() const { return static_cast<uint64_t>(sell_e8 >> 64); }
  uint64_t sell_low() const { return static_cast<uint64_t>(sell_e8); }
  void reset_flow() {
    buy_e8 = sell_e8 = 0;
    trades = buys = 0;
  }
};

class SpotCore {
 public:
  int apply(const SpotMessage& message, int64_t recv_ns) {
    if (message.kind == SPOT_SHUTDOWN) return SPOT_FLAG_SHUTDOWN;
    if (message.kind < SPOT_QUOTE || message.kind > SPOT_DEPTH) return 0;
    const int index = find(message.symbol);
    if (index < 0) {
      ++unknown_symbols;
      return 0;
    }
    SpotSymbol& symbol = symbols[static_cast<size_t>(index)];
    symbol.recv_ns = recv_ns;
    int flags = 0;
    switch (message.kind) {
      case SPOT_QUOTE: flags = quote(symbol, message, recv_ns); break;
      case SPOT_DEPTH: flags = depth(symbol, message); break;
      default: flags = trade(symbol, message); break;
    }
    if (flags) {
      if (symbol.pending == 0) dirty.push_back(index);
      symbol.pending |= flags;
    }
    return flags;
  }

  std::vector<SpotSymbol> symbols;
  std::vector<int> dirty;
  uint64_t stale_quotes = 0, duplicates = 0, gaps = 0, unknown_symbols = 0;

 private:
  int find(const Text& name) const {
    for (size_t i = 0; i < symbols.size(); ++i)
      if (name.is(symbols[i].name.data(), symbols[i].name.size())) return static_cast<int>(i);
    return -1;
  }

  // `u` rises with every change of the order book: what does not raise it is old or a copy.
  int quote(SpotSymbol& symbol, const SpotMessage& message, int64_t recv_ns) {
    if (message.id <= symbol.update_id) {
      ++stale_quotes;
      return 0;
    }
    symbol.update_id = message.id;
    symbol.bid_e8 = message.bid_e8;
    symbol.bid_size_e8 = message.bid_size_e8;
    symbol.ask_e8 = message.ask_e8;
    symbol.ask_size_e8 = message.ask_size_e8;
    symbol.quote_recv_ns = recv_ns;
    return SPOT_FLAG_QUOTE;
  }

  // Trade ids are consecutive, aggregates have a series of their own; a symbol that has single
  // trades does not count their aggregates again.
  int trade(SpotSymbol& symbol, const SpotMessage& message) {
    const bool aggregate = message.kind == SPOT_AGG;
    int64_t& last = aggregate ? symbol.agg_id : symbol.trade_id;
    if (message.id <= last) {
      ++duplicates;
      return 0;
    }
    int flags = 0;
    if (last >= 0 && message.id != last + 1) {
      ++gaps;
      flags = SPOT_FLAG_GAP;
    }
    last = message.id;
    if (aggregate && symbol.trade_id >= 0) return flags;
    (message.maker_bought ? symbol.sell_e8 : symbol.buy_e8) +=
        static_cast<unsigned __int128>(message.size_e8);
    ++symbol.trades;
    symbol.buys += !message.maker_bought;
    symbol.last_price_e8 = message.price_e8;
    symbol.last_event_ns = message.event_ns;
    return flags | SPOT_FLAG_TRADE;
  }

  int depth(SpotSymbol& symbol, const SpotMessage& message) {
    if (message.id <= symbol.depth_id) {
      ++duplicates;
      return 0;
    }
    int flags = SPOT_FLAG_DEPTH;
    if (symbol.depth_id >= 0 && message.first_id > symbol.depth_id + 1) {
      ++gaps;
      flags |= SPOT_FLAG_GAP;
    }
    symbol.depth_id = message.id;
    symbol.depth_event_ns = message.event_ns;
    return flags;
  }
};

}  // namespace dailyarb
