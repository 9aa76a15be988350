"""The PIN that ends a kiosk: only a salted hash of it is kept, in one small file of the owner's."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from fingerpost.app.output_files import write_text

FEWEST, MOST = 4, 12  # digits
SALT_BYTES = 16
COST, BLOCK, LANES = 2**14, 8, 1  # of scrypt (RFC 7914): 16 MB and some 50 ms for each guess


class PinHash(msgspec.Struct, frozen=True):
    """salt, hash : hexadecimal; cost : scrypt's N, which may grow some day"""

    salt: str
    hash: str
    cost: int = COST


class PinFile:
    """The file, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept = self._read()

    @property
    def is_set(self) -> bool:
        return self._kept is not None

    def set(self, pin: str) -> None:
        """Keeps the hash of a PIN. ValueError where it is none; OSError where the disk is full."""
        check_pin(pin)
        salt = secrets.token_bytes(SALT_BYTES)
        kept = PinHash(salt.hex(), _hash(pin, salt, COST).hex())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, msgspec.json.encode(kept).decode() + "\n")
        os.chmod(self.path, 0o600)
        self._kept = kept

    def is_right(self, pin: str) -> bool:
        """Whether this is the PIN; False where none is set."""
        if self._kept is None:
            return False
        found = _hash(pin, bytes.fromhex(self._kept.salt), self._kept.cost)
        return hmac.compare_digest(found, bytes.fromhex(self._kept.hash))

    def _read(self) -> PinHash | None:
        """ValueError for a damaged file: a kiosk that asked for a new PIN then could be taken over
        by who damages it."""
        try:
            kept = msgspec.json.decode(self.path.read_bytes(), type=PinHash)
            bytes.fromhex(kept.salt + kept.hash)
        except FileNotFoundError:
            return None
        except ValueError as error:  # of msgspec too
            raise ValueError(
                f"{self.path} cannot be read; set the PIN again: fingerpost kiosk --set-pin"
            ) from error
        return kept


def check_pin(pin: str) -> None:
    """ValueError where this can be no PIN."""
    if not (pin.isascii() and pin.isdecimal() and FEWEST <= len(pin) <= MOST):
        raise ValueError(f"a PIN has {FEWEST} to {MOST} digits, and nothing else")
    if len(set(pin)) == 1:
        raise ValueError("a PIN of one digit only is tried first; take another")


def _hash(pin: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=cost, r=BLOCK, p=LANES, dklen=32)
