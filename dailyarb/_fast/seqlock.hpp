// Seqlock over memory that somebody else owns, two copies a slot.
//
// A copy is one cache line of head (sequence word, size word) and the payload in 64-bit words.
// An odd sequence means "being written"; the larger even one is the newest whole copy, and a
// writer only ever touches the other. So a writer that stops or dies half-way leaves the newest
// whole copy readable, and the next writer goes on over the broken one.
//
// Every word is moved by a relaxed atomic between fences (Boehm, "Can seqlocks get along with
// programming language memory models?"): no data race, and plain moves on x86 and arm.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dailyarb {

using Word = std::atomic<std::uint64_t>;
static_assert(sizeof(Word) == 8 && Word::is_always_lock_free, "64-bit words must be lock-free");

constexpr std::size_t LINE = 64;
constexpr std::int64_t NEVER_WRITTEN = -1;
constexpr std::int64_t TORN = -2;

inline Word* words_at(char* place) { return reinterpret_cast<Word*>(place); }
inline const Word* words_at(const char* place) { return reinterpret_cast<const Word*>(place); }

inline void store_word(char* place, std::uint64_t number) {
    words_at(place)->store(number, std::memory_order_release);
}
inline std::uint64_t load_word(const char* place) {
    return words_at(place)->load(std::memory_order_acquire);
}

// Bytes of one copy, and of the slot of two, for a payload of at most `payload_bytes`.
inline std::size_t copy_bytes(std::size_t payload_bytes) {
    return LINE + (payload_bytes + LINE - 1) / LINE * LINE;
}
inline std::size_t slot_bytes(std::size_t payload_bytes) { return 2 * copy_bytes(payload_bytes); }

inline bool whole(std::uint64_t sequence) { return sequence != 0 && (sequence & 1) == 0; }

inline void store_payload(Word* to, const char* from, std::size_t size) {
    std::uint64_t word;
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        std::memcpy(&word, from + i, 8);
        to[i / 8].store(word, std::memory_order_relaxed);
    }
    if (i < size) {
        word = 0;
        std::memcpy(&word, from + i, size - i);
        to[i / 8].store(word, std::memory_order_relaxed);
    }
}

inline void load_payload(char* to, const Word* from, std::size_t size) {
    std::uint64_t word;
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        word = from[i / 8].load(std::memory_order_relaxed);
        std::memcpy(to + i, &word, 8);
    }
    if (i < size) {
        word = from[i / 8].load(std::memory_order_relaxed);
        std::memcpy(to + i, &word, size - i);
    }
}

// Writes over the copy that is not the newest whole one. One writer at a time.
// `size` must not exceed the payload the slot was laid for; the caller checks.
inline void slot_write(char* slot, std::size_t payload_bytes, const char* from, std::size_t size) {
    char* copies[2] = {slot, slot + copy_bytes(payload_bytes)};
    const std::uint64_t first = words_at(copies[0])->load(std::memory_order_relaxed);
    const std::uint64_t second = words_at(copies[1])->load(std::memory_order_relaxed);
    const bool first_is_newest = whole(first) && (!whole(second) || first > second);
    Word* copy = words_at(copies[first_is_newest ? 1 : 0]);
    // The next even number above both, so that no reader can take it for one it has seen.
    const std::uint64_t sequence = ((first > second ? first : second) | 1) + 1;
    copy[0].store(sequence - 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    copy[1].store(size, std::memory_order_relaxed);
    store_payload(copy + LINE / 8, from, size);
    copy[0].store(sequence, std::memory_order_release);
}

// Reads the newest whole copy; returns its size, NEVER_WRITTEN, or TORN after `tries` attempts.
inline std::int64_t slot_read(const char* slot, std::size_t payload_bytes, char* to,
                              std::size_t tries) {
    const Word* copies[2] = {words_at(slot), words_at(slot + copy_bytes(payload_bytes))};
    while (tries-- > 0) {
        const std::uint64_t first = copies[0][0].load(std::memory_order_acquire);
        const std::uint64_t second = copies[1][0].load(std::memory_order_acquire);
        if (first <= 1 && second == 0) return NEVER_WRITTEN;
        const bool take_first = whole(first) && (!whole(second) || first > second);
        const std::uint64_t sequence = take_first ? first : second;
        if (!whole(sequence)) continue;
        const Word* copy = copies[take_first ? 0 : 1];
        const std::uint64_t size = copy[1].load(std::memory_order_relaxed);
        if (size > payload_bytes) continue;
        load_payload(to, copy + LINE / 8, size);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (copy[0].load(std::memory_order_relaxed) == sequence) {
            return static_cast<std::int64_t>(size);
        }
    }
    return TORN;
}

}  // namespace dailyarb
