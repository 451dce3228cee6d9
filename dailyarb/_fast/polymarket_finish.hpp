// Second half of polymarket_decode.hpp: an event whose type is known becomes rows.
#pragma once

namespace dailyarb {

inline Row row_for(int8_t kind, const Token& token, int64_t stamp_ms, int group) {
  Row row;
  row.kind = kind;
  row.slot = token.slot;
  row.market = token.market;
  row.outcome = token.outcome;
  row.stamp_ms = stamp_ms;
  row.group = group;
  return row;
}

inline Fault PolymarketDecoder::finish(const Event& event, int group, RowBuffer& rows,
                                       bool& rare_event) {
  const Fields& fields = event.fields;
  DAILYARB_TRY(check_keys(fields, bit(KEY_EVENT), 0));
  const Text type = fields.get(KEY_EVENT);
  if (type.kind != TEXT_STRING) return FAULT_TYPE;
  if (type.is("price_change", 12)) return finish_changes(event, group, rows);
  if (type.is("book", 4)) return finish_book(event, group, rows);
  if (type.is("last_trade_price", 16)) return finish_trade(event, group, rows);
  if (type.is("best_bid_ask", 12)) return finish_top(event, group, rows);
  if (type.is("tick_size_change", 16)) return finish_tick(event, group, rows);
  if (type.is("market_resolved", 15)) return finish_resolved(event, group, rows, rare_event);
  if (type.is("new_market", 10)) {
    rare_event = true;
    return finish_new_market(group, rows);
  }
  count_unknown(type);
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::finish_changes(const Event& event, int group, RowBuffer& rows) {
  DAILYARB_TRY(check_keys(event.fields, bit(KEY_STAMP) | bit(KEY_CHANGES), 0));
  if (event.changes != FAULT_NONE) return event.changes;
  int64_t stamp_ms = 0;
  DAILYARB_TRY(parse_fixed(event.fields.get(KEY_STAMP), 0, STAMP_MOST_MS, stamp_ms));
  for (Row& change : changes_) {
    if (change.slot < 0) {
      ++unknown_tokens;
      continue;
    }
    Row* row = rows.append(1);
    if (row == nullptr) return FAULT_SIZE;
    change.stamp_ms = stamp_ms;
    change.group = group;
    *row = change;
  }
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::finish_book(const Event& event, int group, RowBuffer& rows) {
  constexpr uint32_t needed = bit(KEY_ASSET) | bit(KEY_STAMP) | bit(KEY_BIDS) | bit(KEY_ASKS);
  const Fields& fields = event.fields;
  DAILYARB_TRY(check_keys(fields, needed, bit(KEY_HASH) | bit(KEY_TICK)));
  for (const Fault inside : event.levels) DAILYARB_TRY(inside);
  const Token* token = nullptr;
  int64_t stamp_ms = 0;
  uint64_t hash64 = 0;
  int32_t tick_e4 = -1;
  DAILYARB_TRY(find_token(fields.get(KEY_ASSET), token));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_STAMP), 0, STAMP_MOST_MS, stamp_ms));
  DAILYARB_TRY(optional_hash(fields.get(KEY_HASH), hash64));
  DAILYARB_TRY(optional_price(fields.get(KEY_TICK), tick_e4));
  if (token == nullptr) {
    ++unknown_tokens;
    return FAULT_NONE;
  }
  const size_t count = levels_[0].size() + levels_[1].size();
  Row* row = rows.append(count + 2);
  if (row == nullptr) return FAULT_SIZE;
  const Row begin = row_for(ROW_BOOK_BEGIN, *token, stamp_ms, group);
  *row = begin;
  row->hash64 = hash64;
  row->price_e4 = tick_e4;
  for (const auto& side : levels_) {
    for (const Level& level : side) {
      *++row = begin;
      row->kind = ROW_BOOK_LEVEL;
      row->side = level.side;
      row->price_e4 = level.price_e4;
      row->size_e6 = level.size_e6;
    }
  }
  *++row = begin;
  row->kind = ROW_BOOK_END;
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::finish_trade(const Event& event, int group, RowBuffer& rows) {
  constexpr uint32_t needed =
      bit(KEY_ASSET) | bit(KEY_STAMP) | bit(KEY_PRICE) | bit(KEY_SIZE) | bit(KEY_SIDE);
  const Fields& fields = event.fields;
  DAILYARB_TRY(check_keys(fields, needed, bit(KEY_FEE) | bit(KEY_TX)));
  const Token* token = nullptr;
  Row row;
  DAILYARB_TRY(find_token(fields.get(KEY_ASSET), token));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_STAMP), 0, STAMP_MOST_MS, row.stamp_ms));
  DAILYARB_TRY(price_of(fields.get(KEY_PRICE), row.price_e4));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_SIZE), 6, SIZE_MOST_E6, row.size_e6));
  DAILYARB_TRY(side_of(fields.get(KEY_SIDE), row.side));
  DAILYARB_TRY(optional_hash(fields.get(KEY_TX), row.hash64));
  const Text fee = fields.get(KEY_FEE);
  if (!fee.empty_or_null()) {
    int64_t bps = 0;
    DAILYARB_TRY(parse_fixed(fee, 0, FEE_MOST_BPS, bps));
    row.fee_rate_bps = static_cast<int32_t>(bps);
  }
  if (token == nullptr) {
    ++unknown_tokens;
    return FAULT_NONE;
  }
  Row* at = rows.append(1);
  if (at == nullptr) return FAULT_SIZE;
  *at = row_for(ROW_TRADE, *token, row.stamp_ms, group);
  at->side = row.side;
  at->price_e4 = row.price_e4;
  at->size_e6 = row.size_e6;
  at->hash64 = row.hash64;
  at->fee_rate_bps = row.fee_rate_bps;
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::finish_tick(const Event& event, int group, RowBuffer& rows) {
  const Fields& fields = event.fields;
  DAILYARB_TRY(check_keys(fields, bit(KEY_ASSET) | bit(KEY_STAMP) | bit(KEY_NEW_TICK), 0));
  const Token* token = nullptr;
  int64_t stamp_ms = 0;
  int32_t tick_e4 = 0;
  DAILYARB_TRY(find_token(fields.get(KEY_ASSET), token));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_STAMP), 0, STAMP_MOST_MS, stamp_ms));
  DAILYARB_TRY(price_of(fields.get(KEY_NEW_TICK), tick_e4));
  if (token == nullptr) {
    ++unknown_tokens;
    return FAULT_NONE;
  }
  Row* at = rows.append(1);
  if (at == nullptr) return FAULT_SIZE;
  *at = row_for(ROW_TICK_SIZE, *token, stamp_ms, group);
  at->price_e4 = tick_e4;
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::finish_top(const Event& event, int group, RowBuffer& rows) {
  constexpr uint32_t needed =
      bit(KEY_ASSET) | bit(KEY_STAMP) | bit(KEY_BEST_BID) | bit(KEY_BEST_ASK);
  const Fields& fields = event.fields;
  DAILYARB_TRY(check_keys(fields, needed, 0));
  const Token* token = nullptr;
  int64_t stamp_ms = 0;
  int32_t bid_e4 = -1, ask_e4 = -1;
  DAILYARB_TRY(find_token(fields.get(KEY_ASSET), token));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_STAMP), 0, STAMP_MOST_MS, stamp_ms));
  DAILYARB_TRY(optional_price(fields.get(KEY_BEST_BID), bid_e4));
  DAILYARB_TRY(optional_price(fields.get(KEY_BEST_ASK), ask_e4));
  if (token == nullptr) {
    ++unknown_tokens;
    return FAULT_NONE;
  }
  Row* at = rows.append(1);
  if (at == nullptr) return FAULT_SIZE;
  *at = row_for(ROW_TOP, *token, stamp_ms, group);
  at->best_bid_e4 = bid_e4;
  at->best_ask_e4 = ask_e4;
  return FAULT_NONE;
}

inline Fault PolymarketDecoder::finish_resolved(const Event& event, int group, RowBuffer& rows,
                                                bool& rare_event) {
  const Fields& fields = event.fields;
  DAILYARB_TRY(check_keys(fields, bit(KEY_STAMP) | bit(KEY_WINNER), 0));
  const Token* token = nullptr;
  int64_t stamp_ms = 0;
  DAILYARB_TRY(find_token(fields.get(KEY_WINNER), token));
  DAILYARB_TRY(parse_fixed(fields.get(KEY_STAMP), 0, STAMP_MOST_MS, stamp_ms));
  if (token == nullptr) {
    ++unknown_tokens;
    return FAULT_NONE;
  }
  Row* at = rows.append(1);
  if (at == nullptr) return FAULT_SIZE;
  *at = row_for(ROW_RESOLVED, *token, stamp_ms, group);
  rare_event = true;
  return FAULT_NONE;
}

// Broadcast for every market of the venue: its tokens are new to us, so the row names none.
inline Fault PolymarketDecoder::finish_new_market(int group, RowBuffer& rows) {
  Row* at = rows.append(1);
  if (at == nullptr) return FAULT_SIZE;
  *at = Row();
  at->kind = ROW_NEW_MARKET;
  at->group = group;
  return FAULT_NONE;
}

}  // namespace dailyarb
