#!/usr/bin/env python3
"""The format `sealed` (docs/vendors.md), written a second time with Python's `cryptography`.

    tests/vectors/sealed.py make > tests/vectors/sealed.json     makes the vectors with fixed keys and nonces
    tests/vectors/sealed.py check                                reads the file as a vendor would

The tests of `common/src/vendor/sealed` read the same file, so two independent programs agree on it.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = pathlib.Path(__file__).parent
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
RECEIPT = "4dd1add9-6719-42f7-bea0-115c008c4fca"


def private_key():
    return serialization.load_pem_private_key((HERE / "../keys/vendor-test-private.pem").read_bytes(), None)


def bound(receipt, kind):
    return f"vouch-sealed-1/{receipt}/{kind}".encode()


def photo(kind, key, nonce, plain):
    container = b"VSV1" + nonce + AESGCM(key).encrypt(nonce, plain, bound(RECEIPT, kind))
    wrapped = private_key().public_key().encrypt(key, OAEP)
    return {
        "receipt_id": RECEIPT,
        "kind": kind,
        "key_hex": key.hex(),
        "nonce_hex": nonce.hex(),
        "plain": plain.decode(),
        "container_hex": container.hex(),
        "wrapped_key": base64.b64encode(wrapped).decode(),
    }


def sign(secret, message_id, timestamp, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + body.encode()
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def message(message_id, timestamp, body):
    body = json.dumps(body, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return {"id": message_id, "timestamp": timestamp, "body": body, "signature": sign(SECRET, message_id, timestamp, body)}


def make():
    photos = [
        photo("face", bytes([1] * 32), bytes([2] * 12), b"a face"),
        photo("photo_id", bytes([3] * 32), bytes([4] * 12), b"an ID photo"),
    ]
    request = {
        "version": 1,
        "receipt_id": RECEIPT,
        "name": "Rust\u01b4",
        "photos": {
            one["kind"]: {"url": f"https://vouch.example/{one['kind']}", "key": one["wrapped_key"], "receipt_id": RECEIPT}
            for one in photos
        },
        "callback_url": "https://vouch.example/callbacks/vendor",
    }
    callback = {
        "receipt_id": RECEIPT,
        "result": "denied",
        "reasons": ["id-missing", "name-differs"],
        "decided_at": "2016-06-01T12:00:00Z",
        "code": "R-17",
    }
    document = {
        "secret": SECRET,
        "photos": photos,
        "request": message(f"{RECEIPT}_17", "1464782400", request),
        "callback": message("evt_1", "1464782460", callback),
    }
    print(json.dumps(document, indent=1))


def check():
    vectors = json.loads((HERE / "sealed.json").read_text())
    request = json.loads(vectors["request"]["body"])
    for one in vectors["photos"]:
        sent = request["photos"][one["kind"]]
        key = private_key().decrypt(base64.b64decode(sent["key"]), OAEP)
        container = bytes.fromhex(one["container_hex"])
        assert container[:4] == b"VSV1"
        plain = AESGCM(key).decrypt(container[4:16], container[16:], bound(sent["receipt_id"], one["kind"]))
        assert plain == one["plain"].encode(), one["kind"]
    for name in ("request", "callback"):
        one = vectors[name]
        assert sign(vectors["secret"], one["id"], one["timestamp"], one["body"]) == one["signature"], name
    print("the vectors hold")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]]()
