// Text of one JSON scalar, exact decimals, hashes and faults: shared by every decoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace dailyarb {

// Order is part of the Python side: see FAULT_KINDS in polymarket.pyx and binance.pyx.
enum Fault : int {
  FAULT_NONE = 0,
  FAULT_SYNTAX,
  FAULT_TYPE,
  FAULT_MISSING,
  FAULT_DUPLICATE,
  FAULT_NUMBER,
  FAULT_SCALE,
  FAULT_RANGE,
  FAULT_SIZE,
  FAULT_DEPTH,
  FAULT_KINDS_COUNT
};

enum TextKind : uint8_t { TEXT_ABSENT = 0, TEXT_STRING, TEXT_NUMBER, TEXT_NULL, TEXT_OTHER };

// A scalar inside the frame (or inside the parser's own buffer when it held escapes).
// Left uninitialised by default, zero (absent) as Text(): arrays of it cost nothing to lay.
struct Text {
  const char* at;
  uint32_t length;
  TextKind kind;

  bool empty_or_null() const {
    return kind == TEXT_ABSENT || kind == TEXT_NULL || (kind == TEXT_STRING && length == 0);
  }
  bool is(const char* word, size_t size) const {
    return kind == TEXT_STRING && length == size && std::memcmp(at, word, size) == 0;
  }
};

inline uint64_t load64(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

inline uint64_t mix64(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
  return hash ^ (hash >> 32);
}

// Identity of a short text: words of eight bytes, little endian, the tail padded with zeros.
inline uint64_t hash_text(const char* at, size_t length) {
  uint64_t hash = 0xCBF29CE484222325ull ^ length;
  size_t done = 0;
  for (; done + 8 <= length; done += 8) hash = mix64(hash, load64(at + done));
  if (done < length) {
    uint64_t tail = 0;
    std::memcpy(&tail, at + done, length - done);
    hash = mix64(hash, tail);
  }
  return hash ? hash : 1;  // 0 means absent
}

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

constexpr uint64_t FIXED_LIMIT = 1000000000000000000ull;  // 1e18: one more digit still fits 64 bits

// Tells a bare number from the words the stdlib would read too: NaN, -Infinity.
inline bool starts_number(const char* at, size_t length) {
  const size_t sign = length && at[0] == '-' ? 1 : 0;
  return length > sign && is_digit(at[sign]);
}

// What JSON forbids in a bare number and a decimal in quotes may have: 01 and 5.
inline bool json_number(const char* at, const char* end) {
  return end[-1] != '.' && !(at[0] == '0' && end - at > 1 && at[1] != '.');
}

// Reads a plain decimal ("0.86", "13", ".5") as an integer scaled by 10**decimals, exactly.
// Signs other than a leading minus and exponents are FAULT_NUMBER; a minus is FAULT_RANGE;
// more significant decimals than the scale holds are FAULT_SCALE.
inline Fault parse_fixed(const Text& text, int decimals, int64_t most, int64_t& out) {
  if (text.kind != TEXT_STRING && text.kind != TEXT_NUMBER) return FAULT_TYPE;
  const char* p = text.at;
  const char* const end = p + text.length;
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  uint64_t value = 0;
  int digits = 0, places = 0;
  bool big = false, fine = false;
  for (; p != end && is_digit(*p); ++p, ++digits) {
    if (value >= FIXED_LIMIT) big = true;
    else value = value * 10 + static_cast<uint64_t>(*p - '0');
  }
  if (p != end && *p == '.') {
    for (++p; p != end && is_digit(*p); ++p, ++digits) {
      if (places == decimals) {
        fine = fine || *p != '0';
        continue;
      }
      ++places;
      if (value >= FIXED_LIMIT) big = true;
      else value = value * 10 + static_cast<uint64_t>(*p - '0');
    }
  }
  if (p != end || digits == 0) return FAULT_NUMBER;
  if (text.kind == TEXT_NUMBER && !json_number(text.at + negative, end)) return FAULT_NUMBER;
  for (; places < decimals; ++places) {
    if (value >= FIXED_LIMIT) big = true;
    else value *= 10;
  }
  if (negative || big || value > static_cast<uint64_t>(most)) return FAULT_RANGE;
  if (fine) return FAULT_SCALE;
  out = static_cast<int64_t>(value);
  return FAULT_NONE;
}

// --- the hand scanner's bricks: any surprise gives nullptr and the frame goes to simdjson ------

// Bytes that end or spoil a plain ASCII string: quote, backslash, control, or not ASCII.
inline uint64_t odd_bytes(uint64_t word) {
  const uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
  const uint64_t quote = word ^ (ones * 0x22), slash = word ^ (ones * 0x5C);
  const uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                       ((word - ones * 0x20) & ~word) | word;
  return hit & high;
}

// Returns the closing quote of a plain string that begins at p (after its opening quote).
inline const char* scan_string(const char* p, const char* end) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20);
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // Signed: below a space are the controls and everything that is not ASCII.
    const __m128i odd = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)),
        _mm_cmplt_epi8(bytes, space));
    const int mask = _mm_movemask_epi8(odd);
    if (mask) {
      p += __builtin_ctz(static_cast<unsigned>(mask));
      return *p == '"' ? p : nullptr;
    }
    p += 16;
  }
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  while (end - p >= 8) {
    const uint64_t odd = odd_bytes(load64(p));
    if (odd) {
      p += __builtin_ctzll(odd) >> 3;
      return *p == '"' ? p : nullptr;
    }
    p += 8;
  }
#endif
  for (; p != end; ++p) {
    const unsigned char c = static_cast<unsigned char>(*p);
    if (c == '"') return p;
    if (c < 0x20 || c == '\\' || c >= 0x80) return nullptr;
  }
  return nullptr;
}

template <size_t N>
inline bool starts(const char* p, const char* end, const char (&word)[N]) {
  return static_cast<size_t>(end - p) >= N - 1 && std::memcmp(p, word, N - 1) == 0;
}

// Reads a plain decimal that ends at a quote; returns the quote, or nullptr on any surprise.
inline const char* scan_fixed(const char* p, const char* end, int decimals, int64_t most,
                              int64_t& out) {
  uint64_t value = 0;
  const char* const begin = p;
  while (p != end && is_digit(*p)) value = value * 10 + static_cast<uint64_t>(*p++ - '0');
  if (p - begin > 11 || p == begin) return nullptr;
  int left = decimals;
  if (p != end && *p == '.') {
    ++p;
    while (p != end && left > 0 && is_digit(*p)) {
      value = value * 10 + static_cast<uint64_t>(*p++ - '0');
      --left;
    }
    if (left == decimals) return nullptr;
  }
  while (left-- > 0) value *= 10;
  if (p == end || *p != '"' || value > static_cast<uint64_t>(most)) return nullptr;
  out = static_cast<int64_t>(value);
  return p;
}

// Reads a bare JSON integer of up to 18 digits; returns what follows it, or nullptr.
inline const char* scan_integer(const char* p, const char* end, int64_t most, int64_t& out) {
  const char* const begin = p;
  uint64_t value = 0;
  while (p != end && p - begin < 19 && is_digit(*p)) {
    value = value * 10 + static_cast<uint64_t>(*p++ - '0');
  }
  if (p == begin || p - begin > 18 || (*begin == '0' && p - begin > 1)) return nullptr;
  if (value > static_cast<uint64_t>(most)) return nullptr;
  out = static_cast<int64_t>(value);
  return p;
}

}  // namespace dailyarb
