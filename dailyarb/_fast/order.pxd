"""EIP-712 order digests and their signatures: fixed words, own Keccak, coincurve's libsecp256k1.

`OrderSigner` keeps one key and everything about an order that does not change from one to the
next; `sign` fills in the rest, hashes 384 + 66 bytes and signs (RFC 6979, low s).
"""

from libc.stdint cimport int64_t

ctypedef unsigned char byte

cdef enum:
    EXCHANGES = 3          # CTF v2, neg-risk v2, exchange v3
    STRUCT_BYTES = 384     # type hash and 11 words

ctypedef int (*SignRecoverable)(
    void* context, void* signature, const byte* digest, const byte* secret, void* nonce, void* data
) noexcept nogil
ctypedef int (*SerializeCompact)(
    void* context, byte* out, int* recovery, const void* signature
) noexcept nogil


cdef class OrderSigner:
    cdef byte secret[32]
    cdef byte words[STRUCT_BYTES]
    cdef byte separators[EXCHANGES][32]
    cdef byte wrap[224]    # ERC-7739: type hash, contents, name, version, chain, wallet, salt
    cdef readonly bytes address, signer
    cdef readonly int signature_type
    cdef object library, context_owner
    cdef void* context
    cdef SignRecoverable sign_recoverable
    cdef SerializeCompact serialize_compact

    cdef int _bind(self, object seed) except -1
    cdef void _digest(self, int exchange, byte* contents, byte* order_id) noexcept nogil
    cdef int _sign(self, const byte* digest, byte* signature) except -1
    cdef bytes _wrapped(self, int exchange, const byte* contents)
