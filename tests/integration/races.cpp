// Ring and seqlock between two threads, for the thread sanitizer: prints what went wrong, or "ok".
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <thread>

#include "ring.hpp"
#include "seqlock.hpp"

namespace {

constexpr std::uint64_t CAPACITY = 4096;
constexpr std::size_t PAYLOAD = 570;  // not a multiple of 8: the last word is a part
constexpr int RECORDS = 300000;
constexpr int READS = 500000;
constexpr std::size_t TRIES = 1024;

alignas(64) char ring_place[sizeof(dailyarb::RingHead) + CAPACITY];
alignas(64) char slot_place[2 * (64 + 576)];

bool all_equal(const char* bytes, std::int64_t size, char expected) {
    for (std::int64_t i = 0; i < size; ++i) {
        if (bytes[i] != expected) return false;
    }
    return true;
}

void produce() {
    char record[200];
    for (int number = 0; number < RECORDS;) {
        const int size = number % 200;
        std::memset(record, number & 127, size);
        if (dailyarb::ring_push(ring_place, CAPACITY, record, size, number, number & 7)) {
            ++number;
        } else {
            std::this_thread::yield();
        }
    }
}

const char* ring_fault() {
    dailyarb::ring_lay(ring_place, CAPACITY);
    std::thread producer(produce);
    const char* fault = nullptr;
    char record[CAPACITY];
    for (int number = 0; number < RECORDS;) {
        const std::int64_t size = dailyarb::ring_peek(ring_place, CAPACITY);
        if (size == dailyarb::RING_EMPTY) {
            std::this_thread::yield();
            continue;
        }
        std::int64_t stamp = -1;
        std::uint32_t tag = 0;
        dailyarb::ring_take(ring_place, CAPACITY, record, size, &stamp, &tag);
        if (stamp != number) fault = "a record was lost or doubled";
        if (size != number % 200 || !all_equal(record, size, number & 127)) fault = "a torn record";
        ++number;
    }
    producer.join();
    return fault;
}

const char* slot_fault() {
    std::atomic<bool> stop{false};
    std::thread writer([&stop] {
        char blob[PAYLOAD];
        for (std::uint64_t number = 1; !stop; ++number) {
            std::memset(blob, number & 127, sizeof blob);
            dailyarb::slot_write(slot_place, PAYLOAD, blob, 8 + number % (PAYLOAD - 8));
        }
    });
    const char* fault = nullptr;
    char blob[PAYLOAD];
    for (int reads = 0; reads < READS; ++reads) {
        const std::int64_t size = dailyarb::slot_read(slot_place, PAYLOAD, blob, TRIES);
        if (size == dailyarb::TORN) fault = "no whole copy in a bounded number of tries";
        if (size > 0 && !all_equal(blob, size, blob[0])) fault = "a torn read";
    }
    stop = true;
    writer.join();
    return fault;
}

}  // namespace

int main() {
    for (const char* fault : {ring_fault(), slot_fault()}) {
        if (fault != nullptr) {
            std::puts(fault);
            return 1;
        }
    }
    std::puts("ok");
    return 0;
}
