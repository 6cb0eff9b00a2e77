"""Certificates for tests, made on the spot by openssl(1)."""
import pathlib
import subprocess


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Authority:
    """One that signs, in a folder of its own; `path` is its certificate."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=Test authority", "-out", self.path, "-keyout", self.key)

    def issue(self, name, *names, kind="ec", folder=None):
        """Paths of a new certificate and its key; names like DNS:mail.example.org or IP:127.0.0.1."""
        folder = folder or self.folder
        certificate, key, request = (folder / f"{name}{end}" for end in (".pem", ".key", ".csr"))
        (folder / f"{name}.ext").write_text(f"subjectAltName={','.join(names)}\n")
        how = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-new", "-newkey", *how, "-nodes", "-subj", f"/CN={name}", "-out", request, "-keyout", key)
        # Written whole and moved into place, as programs that renew certificates do.
        fresh = folder / f"{name}.fresh"
        openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                "-extfile", folder / f"{name}.ext", "-out", fresh)
        fresh.rename(certificate)
        return certificate, key
