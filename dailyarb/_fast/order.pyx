# cython: language_level=3
"""EIP-712 order digests and their signatures: fixed words, own Keccak, coincurve's libsecp256k1.

Source: polymarket.md 1.2 to 1.4 and 7.3 of the venue notes; EIP-712; ERC-7739.
"""

from libc.stdint cimport uint64_t, uintptr_t
from libc.string cimport memcpy, memset

cdef extern from "keccak.hpp" namespace "dailyarb" nogil:
    void _keccak "dailyarb::keccak256"(const byte* blob, size_t size, byte* out)
    void wipe(void* place, size_t size)

CHAIN_ID = 137
EXCHANGE_CTF = 0
EXCHANGE_NEG_RISK = 1
EXCHANGE_V3 = 2
ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    b"bytes32 builder)"
)
_DOMAIN_TYPE = (
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_WRAP_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    b"address verifyingContract,bytes32 salt)" + ORDER_TYPE
)
_DOMAIN_NAME = b"Polymarket CTF Exchange"
# Version of the signing domain and the contract, by exchange.
_DOMAINS = (
    (b"2", bytes.fromhex("E111180000d2663C0091e4f400237545B87B996B")),
    (b"2", bytes.fromhex("e2222d279d744050d28e00520010520000310F59")),
    (b"3", bytes.fromhex("e3333700cA9d93003F00f0F71f8515005F6c00Aa")),
)
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

cdef enum:
    TYPE_WRAPPED = 3
    AT_SALT = 32
    AT_MAKER = 64
    AT_SIGNER = 96
    AT_TOKEN = 128
    AT_MAKER_AMOUNT = 160
    AT_TAKER_AMOUNT = 192
    AT_SIDE = 224
    AT_SIGNATURE_TYPE = 256
    AT_STAMP = 288
    AT_BUILDER = 352


def keccak256(const byte[::1] blob not None) -> bytes:
    """Returns the 32 bytes of Keccak-256, as Ethereum pads it; the buffer is borrowed."""
    cdef byte out[32]
    cdef Py_ssize_t size = blob.shape[0]
    _keccak(&blob[0] if size else NULL, size, out)
    return out[:32]


ORDER_TYPE_HASH = keccak256(ORDER_TYPE)


def domain_separator(exchange: int, chain_id: int) -> bytes:
    """Returns the EIP-712 domain separator of one of the three exchanges.

    Raises:
        ValueError: no such exchange.
    """
    if not 0 <= exchange < EXCHANGES:
        raise ValueError(f"exchange {exchange}, allowed 0 to {EXCHANGES - 1}")
    version, contract = _DOMAINS[exchange]
    return keccak256(
        keccak256(_DOMAIN_TYPE)
        + keccak256(_DOMAIN_NAME)
        + keccak256(version)
        + chain_id.to_bytes(32, "big")
        + contract.rjust(32, b"\0")
    )


cdef inline void _put_u64(byte* word, uint64_t number) noexcept nogil:
    """Writes a number into the last eight bytes of a 32-byte word whose rest is zero."""
    cdef int i
    for i in range(31, 23, -1):
        word[i] = number & 0xFF
        number >>= 8


cdef int _must_have(str name, bytes blob, Py_ssize_t size) except -1:
    """Raises ValueError, without the content, when the length is wrong."""
    if blob is None or len(blob) != size:
        raise ValueError(f"{name} must have {size} bytes")
    return 0


cdef class OrderSigner:
    """Signs the orders of one wallet with one key; refuses to be copied or pickled.

    Args:
        secret: the 32 bytes of the key.
        maker: the 20 bytes of the wallet that pays; None for the key's own address (type 0).
        signature_type: 0 EOA, 1 proxy, 2 safe, 3 deposit wallet (ERC-7739 wrapped).
        seed: 32 random bytes that blind the curve arithmetic; they do not change a signature.
        chain_id: of the exchanges.
        builder: the 32 bytes of the builder code, zero without one.

    Raises:
        ValueError: the key, a length, or the pair of maker and type is wrong. No message ever
            carries the key.
    """

    def __init__(
        self,
        bytes secret,
        bytes maker,
        int signature_type,
        bytes seed,
        chain_id: int = CHAIN_ID,
        bytes builder = bytes(32),
    ) -> None:
        cdef int i
        _must_have("secret", secret, 32)
        _must_have("seed", seed, 32)
        _must_have("builder", builder, 32)
        if not 0 < int.from_bytes(secret, "big") < _CURVE_ORDER:
            raise ValueError("the secret is not a key of the curve")
        if not 0 <= signature_type <= TYPE_WRAPPED:
            raise ValueError(f"signature type {signature_type}, allowed 0 to {TYPE_WRAPPED}")
        self._bind(seed)
        memcpy(self.secret, <const byte*>secret, 32)
        self.address = _address_of(secret)
        if maker is None and signature_type == 0:
            maker = self.address
        _must_have("maker", maker, 20)
        if signature_type == 0 and maker != self.address:
            raise ValueError("a wallet of type 0 is the key's own address")
        self.signature_type = signature_type
        self.signer = maker if signature_type == TYPE_WRAPPED else self.address
        memset(self.words, 0, STRUCT_BYTES)
        memcpy(self.words, <const byte*>(<bytes>ORDER_TYPE_HASH), 32)
        memcpy(self.words + AT_MAKER + 12, <const byte*>maker, 20)
        memcpy(self.words + AT_SIGNER + 12, <const byte*>self.signer, 20)
        self.words[AT_SIGNATURE_TYPE + 31] = signature_type
        memcpy(self.words + AT_BUILDER, <const byte*>builder, 32)
        for i in range(EXCHANGES):
            separator = domain_separator(i, chain_id)
            memcpy(self.separators[i], <const byte*>(<bytes>separator), 32)
        self._lay_wrap(maker, chain_id)

    def __dealloc__(self) -> None:
        wipe(self.secret, 32)

    def __reduce__(self):
        raise TypeError("a signer holds a key and is never pickled or copied")

    def sign(
        self,
        int exchange,
        int side,
        uint64_t salt,
        uint64_t stamp_ms,
        bytes token not None,
        amounts: tuple[int, int],
    ) -> tuple[bytes, bytes]:
        """Signs one order.

        Args:
            exchange: EXCHANGE_CTF, EXCHANGE_NEG_RISK or EXCHANGE_V3.
            side: 0 BUY, 1 SELL.
            salt: any number of 64 bits.
            stamp_ms: the order's stamp in ms.
            token: the 32 bytes, big end first, of the token id.
            amounts: (maker amount, taker amount) in 1e-6 units, below 2**64.

        Returns:
            (order id of 32 bytes, signature of 65 bytes or, wrapped, 317).

        Raises:
            ValueError: exchange, side or the token's length is wrong.
            OverflowError: a number does not fit 64 bits.
        """
        cdef byte contents[32]
        cdef byte order_id[32]
        cdef byte signature[65]
        if not 0 <= exchange < EXCHANGES or not 0 <= side <= 1:
            raise ValueError(f"exchange {exchange} or side {side} is unknown")
        _must_have("token", token, 32)
        memcpy(self.words + AT_TOKEN, <const byte*>token, 32)
        maker_amount, taker_amount = amounts
        _put_u64(self.words + AT_MAKER_AMOUNT, maker_amount)
        _put_u64(self.words + AT_TAKER_AMOUNT, taker_amount)
        _put_u64(self.words + AT_SALT, salt)
        _put_u64(self.words + AT_STAMP, stamp_ms)
        self.words[AT_SIDE + 31] = side
        self._digest(exchange, contents, order_id)
        if self.signature_type == TYPE_WRAPPED:
            return order_id[:32], self._wrapped(exchange, contents)
        self._sign(order_id, signature)
        return order_id[:32], signature[:65]

    def sign_digest(self, bytes digest not None) -> bytes:
        """Returns the 65 bytes (r, s, v of 27 or 28) that sign a digest of 32 bytes.

        Raises:
            ValueError: the digest has another length.
        """
        cdef byte signature[65]
        _must_have("digest", digest, 32)
        self._sign(<const byte*>digest, signature)
        return signature[:65]

    cdef int _bind(self, object seed) except -1:
        """Takes the entry points of libsecp256k1 from the installed coincurve."""
        from coincurve._libsecp256k1 import ffi, lib

        self.library = lib
        self.context_owner = ffi.gc(
            lib.secp256k1_context_create(lib.SECP256K1_CONTEXT_NONE), lib.secp256k1_context_destroy
        )
        if not lib.secp256k1_context_randomize(self.context_owner, seed):
            raise RuntimeError("libsecp256k1 refused to randomise")

        def address(pointer: object) -> int:
            return int(ffi.cast("uintptr_t", pointer))

        self.context = <void*><uintptr_t>address(self.context_owner)
        self.sign_recoverable = <SignRecoverable><uintptr_t>address(
            ffi.addressof(lib, "secp256k1_ecdsa_sign_recoverable")
        )
        self.serialize_compact = <SerializeCompact><uintptr_t>address(
            ffi.addressof(lib, "secp256k1_ecdsa_recoverable_signature_serialize_compact")
        )
        return 0

    def _lay_wrap(self, bytes wallet, chain_id: int) -> None:
        """Lays the words of an ERC-7739 TypedDataSign that never change."""
        words = (
            keccak256(_WRAP_TYPE)
            + bytes(32)
            + keccak256(b"DepositWallet")
            + keccak256(b"1")
            + chain_id.to_bytes(32, "big")
            + wallet.rjust(32, b"\0")
            + bytes(32)
        )
        memcpy(self.wrap, <const byte*>(<bytes>words), 224)

    cdef void _digest(self, int exchange, byte* contents, byte* order_id) noexcept nogil:
        """Hashes the struct, then 0x1901, domain separator and struct hash."""
        cdef byte outer[66]
        _keccak(self.words, STRUCT_BYTES, contents)
        outer[0] = 0x19
        outer[1] = 0x01
        memcpy(outer + 2, self.separators[exchange], 32)
        memcpy(outer + 34, contents, 32)
        _keccak(outer, 66, order_id)

    cdef int _sign(self, const byte* digest, byte* signature) except -1:
        """Signs with the interpreter lock held: giving it up may cost a switch interval of 5 ms."""
        cdef byte recoverable[65]
        cdef int recovery = 0
        if not self.sign_recoverable(self.context, recoverable, digest, self.secret, NULL, NULL):
            raise RuntimeError("libsecp256k1 refused to sign")
        self.serialize_compact(self.context, signature, &recovery, recoverable)
        signature[64] = 27 + recovery
        return 0

    cdef bytes _wrapped(self, int exchange, const byte* contents):
        """Returns the ERC-7739 signature: inner, separator, contents hash, type, its length."""
        cdef byte signature[65]
        cdef byte wrapped[32]
        cdef byte outer[66]
        cdef byte digest[32]
        memcpy(self.wrap + 32, contents, 32)
        _keccak(self.wrap, 224, wrapped)
        outer[0] = 0x19
        outer[1] = 0x01
        memcpy(outer + 2, self.separators[exchange], 32)
        memcpy(outer + 34, wrapped, 32)
        _keccak(outer, 66, digest)
        self._sign(digest, signature)
        return (
            signature[:65]
            + self.separators[exchange][:32]
            + contents[:32]
            + ORDER_TYPE
            + len(ORDER_TYPE).to_bytes(2, "big")
        )


cdef bytes _address_of(bytes secret):
    """Returns the 20 bytes of a key's address."""
    from coincurve import PrivateKey

    return keccak256(PrivateKey(secret).public_key.format(compressed=False)[1:])[12:]
