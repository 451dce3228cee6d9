"""Who trades with the venue, and what they own: the venue's own books, in exact fractions.

Every dollar in the venue is somewhere: with an account, with the crowd, in the fee box, or locked
behind a pair of shares. `Ledger.total` never changes.
"""

from __future__ import annotations

from fractions import Fraction

FEE_STEP = Fraction(1, 100_000)
ZERO = Fraction(0)


class Account:
    """Is one API key's account: cash and shares, matched and settled.

    `shares` counts matched trades; `settled` only what the chain has, which is what may be sold.
    """

    def __init__(self, address: str, triple: tuple[str, str, str], cash: Fraction) -> None:
        """Opens an account; `triple` is API key, secret, passphrase."""
        self.address = address
        self.api_key, self.secret, self.passphrase = triple
        self.cash = cash
        self.shares: dict[str, Fraction] = {}
        self.settled: dict[str, Fraction] = {}
        self.makers: dict[str, int] = {address.lower(): 0}  # maker address to signature type

    def held(self, token: str) -> Fraction:
        """Returns the matched shares of a token."""
        return self.shares.get(token, ZERO)

    def sellable(self, token: str) -> Fraction:
        """Returns the shares of a token that the chain has."""
        return self.settled.get(token, ZERO)


class Ledger:
    """Is the venue's cash and collateral; trades are postings that sum to zero."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}  # by API key
        self.by_address: dict[str, Account] = {}
        self.crowd_cash = ZERO
        self.crowd_shares: dict[str, Fraction] = {}
        self.fees = ZERO
        self.locked = ZERO

    def open(self, account: Account) -> None:
        """Adds an account; its cash is new to the venue."""
        self.accounts[account.api_key] = account
        self.by_address[account.address.lower()] = account

    def total(self) -> Fraction:
        """Returns everything there is; only opening an account changes it."""
        cash = sum((account.cash for account in self.accounts.values()), ZERO)
        return cash + self.crowd_cash + self.fees + self.locked

    def authenticate(self, api_key: str, secret: str, passphrase: str) -> bool:
        """Says whether a triple is known."""
        account = self.accounts.get(api_key)
        return account is not None and (account.secret, account.passphrase) == (secret, passphrase)

    def post(
        self, account: Account | None, token: str, buy: bool, price: Fraction, size: Fraction
    ) -> None:
        """Moves one party's half of a match; None is the crowd.

        What a party pays goes behind the shares and what it receives comes from there: when both
        halves are posted, a minted pair has locked one dollar and a merged one has freed it.
        """
        amount = price * size if buy else -price * size
        shares = size if buy else -size
        self.locked += amount
        if account is None:
            self.crowd_cash -= amount
            self.crowd_shares[token] = self.crowd_shares.get(token, ZERO) + shares
            return
        account.cash -= amount
        account.shares[token] = account.held(token) + shares
        if not buy:
            account.settled[token] = account.sellable(token) - size

    def settle(self, account: Account, token: str, size: Fraction) -> None:
        """Makes bought shares sellable: the chain has them."""
        account.settled[token] = account.sellable(token) + size

    def charge(self, account: Account, fee: Fraction) -> None:
        """Takes a fee."""
        account.cash -= fee
        self.fees += fee

    def redeem(self, tokens: tuple[str, str], winner: int) -> None:
        """Pays one dollar for each winning share and burns the losers."""
        for account in self.accounts.values():
            won = account.shares.pop(tokens[winner], ZERO)
            account.shares.pop(tokens[1 - winner], None)
            for token in tokens:
                account.settled.pop(token, None)
            account.cash += won
            self.locked -= won
        won = self.crowd_shares.pop(tokens[winner], ZERO)
        self.crowd_shares.pop(tokens[1 - winner], None)
        self.crowd_cash += won
        self.locked -= won


def taker_fee(price: Fraction, size: Fraction, rate: Fraction) -> Fraction:
    """Returns the taker's fee: size x rate x p x (1 - p), floored to 1e-5 dollars.

    Source: 14 of 14 charges on chain (FINDINGS.md, section 8).
    """
    exact = size * rate * price * (1 - price)
    return exact // FEE_STEP * FEE_STEP
