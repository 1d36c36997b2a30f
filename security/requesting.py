"""A certificate request as a Choria server makes one, for whoever tries a helper without a node.

Rules:
1. The text is a server's: RSA, SHA-256, a common name, no extension (wire/provisioning.md §2.2).
2. The key beside it is PKCS#1 under the label of the other form, as servers write it.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_BITS: Final = 2048


def make_request(identity: str) -> tuple[str, str]:
    """A request for this name and the public key beside it, both PEM; its private key is thrown away."""
    key = rsa.generate_private_key(65537, _BITS)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, identity)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    return request.public_bytes(Encoding.PEM).decode(), public.replace("RSA PUBLIC KEY", "PUBLIC KEY")
