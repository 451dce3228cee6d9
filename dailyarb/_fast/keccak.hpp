// Keccak-256 with the original padding (0x01), as Ethereum uses it: not SHA3-256.
// Little-endian hosts only, checked below; the permutation is FIPS 202, section 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dailyarb {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lanes are read in host order");

constexpr std::size_t KECCAK_RATE = 136;

inline std::uint64_t rotate(std::uint64_t lane, int by) {
    return by == 0 ? lane : (lane << by) | (lane >> (64 - by));
}

inline void keccak_permute(std::uint64_t* s) {
    static constexpr std::uint64_t ROUND[24] = {
        0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
        0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
        0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
        0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
        0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    };
    // Offset of lane x + 5y, and where rho and pi carry it: to y + 5(2x + 3y mod 5).
    static constexpr int OFFSET[25] = {0,  1,  62, 28, 27, 36, 44, 6,  55, 20, 3,  10, 43,
                                       25, 39, 41, 45, 15, 21, 8,  18, 2,  61, 56, 14};
    static constexpr int CARRY[25] = {0, 10, 20, 5, 15, 16, 1,  11, 21, 6, 7,  17, 2,
                                      12, 22, 23, 8, 18, 3,  13, 14, 24, 9, 19, 4};
    std::uint64_t parity[5], moved[25];
    for (int round = 0; round < 24; ++round) {
        for (int x = 0; x < 5; ++x) parity[x] = s[x] ^ s[x + 5] ^ s[x + 10] ^ s[x + 15] ^ s[x + 20];
#pragma GCC unroll 5
        for (int x = 0; x < 5; ++x) {
            const std::uint64_t tilt = parity[(x + 4) % 5] ^ rotate(parity[(x + 1) % 5], 1);
#pragma GCC unroll 5
            for (int y = 0; y < 25; y += 5) {
                moved[CARRY[x + y]] = rotate(s[x + y] ^ tilt, OFFSET[x + y]);
            }
        }
#pragma GCC unroll 5
        for (int y = 0; y < 25; y += 5) {
#pragma GCC unroll 5
            for (int x = 0; x < 5; ++x) {
                s[x + y] = moved[x + y] ^ (~moved[(x + 1) % 5 + y] & moved[(x + 2) % 5 + y]);
            }
        }
        s[0] ^= ROUND[round];
    }
}

inline void keccak_absorb(std::uint64_t* state, const unsigned char* block) {
    for (std::size_t i = 0; i < KECCAK_RATE / 8; ++i) {
        std::uint64_t lane;
        std::memcpy(&lane, block + 8 * i, 8);
        state[i] ^= lane;
    }
    keccak_permute(state);
}

// Writes the 32 bytes of Keccak-256 of `size` bytes to `out`.
inline void keccak256(const unsigned char* from, std::size_t size, unsigned char* out) {
    std::uint64_t state[25] = {0};
    while (size >= KECCAK_RATE) {
        keccak_absorb(state, from);
        from += KECCAK_RATE;
        size -= KECCAK_RATE;
    }
    unsigned char last[KECCAK_RATE] = {0};
    if (size != 0) std::memcpy(last, from, size);
    last[size] = 0x01;
    last[KECCAK_RATE - 1] |= 0x80;
    keccak_absorb(state, last);
    std::memcpy(out, state, 32);
}

// Overwrites a secret so that the compiler cannot leave the store out.
inline void wipe(void* place, std::size_t size) {
    volatile unsigned char* bytes = static_cast<volatile unsigned char*>(place);
    while (size-- > 0) bytes[size] = 0;
}

}  // namespace dailyarb
