"""An identity provider for tests: keys as a JWK set, and tokens that they sign. openssl does the work."""
import base64
import json
import subprocess
import time


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def openssl(*words, text=None):
    return subprocess.run(["openssl", *map(str, words)], input=text, check=True, capture_output=True).stdout


def der_number(der):
    """The first INTEGER of `der`, in 32 bytes, and what follows it."""
    assert der[0] == 2
    return int.from_bytes(der[2:2 + der[1]], "big").to_bytes(32, "big"), der[2 + der[1]:]


class Provider:
    issuer = "https://idp.example.org/"

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.keys = {"RS256": folder / "rsa.pem", "ES256": folder / "ec.pem"}
        self.set = folder / "jwks.json"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.keys["RS256"])
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.keys["ES256"])
        modulus = openssl("rsa", "-in", self.keys["RS256"], "-noout", "-modulus").decode().strip().partition("=")[2]
        point = openssl("pkey", "-in", self.keys["ES256"], "-pubout", "-outform", "DER")[-64:]
        self.set.write_text(json.dumps({"keys": [
            {"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "e": "AQAB", "n": encode(bytes.fromhex(modulus))},
            {"kty": "EC", "kid": "e", "crv": "P-256", "x": encode(point[:32]), "y": encode(point[32:])}]}))

    def conf(self):
        return f'oauth {{ keys = "{self.set}" issuer = "{self.issuer}" audience = {{"mail.example.org"}} }}\n'

    def token(self, email, algorithm="RS256", **claims):
        claims = {"iss": self.issuer, "aud": "mail.example.org", "exp": int(time.time()) + 600, "email": email, **claims}
        header = {"alg": algorithm, "kid": algorithm[0].lower()}
        words = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.keys[algorithm], text=words.encode())
        if algorithm == "ES256":
            r, rest = der_number(signature[2:])
            signature = r + der_number(rest)[0]
        return f"{words}.{encode(signature)}"
