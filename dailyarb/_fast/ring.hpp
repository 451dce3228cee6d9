// Single-producer single-consumer ring of byte records over memory that somebody else owns.
//
// Positions are bytes since birth and only grow; a record is a head of 16 bytes and its payload,
// rounded up to 16, and may wrap around the end. Each side writes one cache line of its own and
// keeps there the last position it saw of the other, so that a side looks across only when the
// ring seems full or empty. Neither side ever waits: what does not fit is dropped and counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace dailyarb {

using RingWord = std::atomic<std::uint64_t>;
static_assert(sizeof(RingWord) == 8 && RingWord::is_always_lock_free, "64-bit words, lock-free");

struct RingHead {
    RingWord magic, capacity;
    std::uint64_t pad_0[6];
    RingWord tail, pushed, dropped, head_seen;  // the producer's line
    std::uint64_t pad_1[4];
    RingWord head, popped, tail_seen;  // the consumer's line
    std::uint64_t pad_2[5];
};
static_assert(sizeof(RingHead) == 192, "three cache lines");

struct RecordHead {
    std::uint32_t size, tag;
    std::int64_t stamp;
};
static_assert(sizeof(RecordHead) == 16, "a record head never wraps");

constexpr std::uint64_t RING_MAGIC = 0x31474E4952424144;  // "DABRING1"
constexpr std::int64_t RING_EMPTY = -1;
constexpr std::int64_t RING_BROKEN = -2;
constexpr std::int64_t RING_NO_ROOM = -3;

inline std::uint64_t record_bytes(std::uint64_t size) {
    return sizeof(RecordHead) + ((size + 15) & ~std::uint64_t{15});
}
inline RingHead* ring_head(char* base) { return reinterpret_cast<RingHead*>(base); }
inline char* ring_bytes(char* base) { return base + sizeof(RingHead); }

inline void ring_lay(char* base, std::uint64_t capacity) {
    RingHead* ring = ring_head(base);
    for (RingWord* word : {&ring->tail, &ring->pushed, &ring->dropped, &ring->head_seen,
                           &ring->head, &ring->popped, &ring->tail_seen}) {
        word->store(0, std::memory_order_relaxed);
    }
    ring->capacity.store(capacity, std::memory_order_relaxed);
    ring->magic.store(RING_MAGIC, std::memory_order_release);
}

inline bool ring_is(char* base, std::uint64_t capacity) {
    RingHead* ring = ring_head(base);
    return ring->magic.load(std::memory_order_acquire) == RING_MAGIC &&
           ring->capacity.load(std::memory_order_relaxed) == capacity;
}

inline void bump(RingWord& word) {
    word.store(word.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Producer's side. Returns false, and counts the drop, when the record does not fit now.
inline bool ring_push(char* base, std::uint64_t capacity, const char* from, std::size_t size,
                      std::int64_t stamp, std::uint32_t tag) {
    RingHead* ring = ring_head(base);
    char* bytes = ring_bytes(base);
    const std::uint64_t tail = ring->tail.load(std::memory_order_relaxed);
    if (size > capacity - sizeof(RecordHead)) {
        bump(ring->dropped);
        return false;
    }
    const std::uint64_t need = record_bytes(size);
    std::uint64_t head = ring->head_seen.load(std::memory_order_relaxed);
    if (need > capacity - (tail - head)) {
        head = ring->head.load(std::memory_order_acquire);
        ring->head_seen.store(head, std::memory_order_relaxed);
        // A head beyond the tail or a lap behind is foreign memory: never write through it.
        if (tail - head > capacity || need > capacity - (tail - head)) {
            bump(ring->dropped);
            return false;
        }
    }
    const RecordHead record{static_cast<std::uint32_t>(size), tag, stamp};
    std::memcpy(bytes + (tail & (capacity - 1)), &record, sizeof record);
    const std::uint64_t at = (tail + sizeof record) & (capacity - 1);
    const std::uint64_t before_end = capacity - at;
    if (size <= before_end) {
        if (size != 0) std::memcpy(bytes + at, from, size);
    } else {
        std::memcpy(bytes + at, from, before_end);
        std::memcpy(bytes, from + before_end, size - before_end);
    }
    bump(ring->pushed);
    ring->tail.store(tail + need, std::memory_order_release);
    return true;
}

// Consumer's side: size of the oldest record, RING_EMPTY, or RING_BROKEN on foreign memory.
inline std::int64_t ring_peek(char* base, std::uint64_t capacity) {
    RingHead* ring = ring_head(base);
    const std::uint64_t head = ring->head.load(std::memory_order_relaxed);
    std::uint64_t tail = ring->tail_seen.load(std::memory_order_relaxed);
    if (tail == head) {
        tail = ring->tail.load(std::memory_order_acquire);
        ring->tail_seen.store(tail, std::memory_order_relaxed);
        if (tail == head) return RING_EMPTY;
    }
    RecordHead record;
    if (tail - head > capacity || head % sizeof record != 0) return RING_BROKEN;
    std::memcpy(&record, ring_bytes(base) + (head & (capacity - 1)), sizeof record);
    if (record_bytes(record.size) > tail - head) return RING_BROKEN;
    return record.size;
}

// Copies the oldest record out and drops it. `size` is what ring_peek just said.
inline void ring_take(char* base, std::uint64_t capacity, char* to, std::size_t size,
                      std::int64_t* stamp, std::uint32_t* tag) {
    RingHead* ring = ring_head(base);
    const char* bytes = ring_bytes(base);
    const std::uint64_t head = ring->head.load(std::memory_order_relaxed);
    RecordHead record;
    std::memcpy(&record, bytes + (head & (capacity - 1)), sizeof record);
    const std::uint64_t at = (head + sizeof record) & (capacity - 1);
    const std::uint64_t before_end = capacity - at;
    if (size <= before_end) {
        if (size != 0) std::memcpy(to, bytes + at, size);
    } else {
        std::memcpy(to, bytes + at, before_end);
        std::memcpy(to + before_end, bytes, size - before_end);
    }
    *stamp = record.stamp;
    *tag = record.tag;
    bump(ring->popped);
    ring->head.store(head + record_bytes(size), std::memory_order_release);
}

}  // namespace dailyarb
