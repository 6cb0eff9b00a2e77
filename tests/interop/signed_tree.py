"""A signed DNS tree on loopback: the root, `example.`, and below it a signed, an unsigned, a forged and an expired domain; zones by
ldns-signzone, served by NSD."""
import pathlib
import re
import subprocess

CHILDREN = ("signed", "insecure", "bogus", "expired")


class Tree:
    """`records`: the lines of each child, with names relative to it. `config` is a file for libunbound."""

    def __init__(self, folder, port, records):
        self.folder, self.port = pathlib.Path(folder), port
        self.folder.mkdir()
        anchors = []
        for child in CHILDREN:
            zone = f"{child}.example."
            self._write(zone, records)
            if child == "expired":
                anchors.append(self._sign(zone, "-i", "20200101000000", "-e", "20200201000000"))
            elif child != "insecure":
                anchors.append(self._sign(zone))
        self._forge("bogus.example.")
        self._write("example.", "ns IN A 127.0.0.1\n" + "".join(f"{child} IN NS ns.example.\n" for child in CHILDREN) +
                    "".join(anchors))
        self._write(".", "example. IN NS ns.example.\nns.example. IN A 127.0.0.1\n" + self._sign("example."))
        (self.folder / "anchor").write_text(self._sign("."))
        self._configure()
        self.process = subprocess.Popen(["nsd", "-d", "-c", str(self.folder / "nsd.conf")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def _run(self, *words):
        return subprocess.run(words, cwd=self.folder, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def _file(self, zone):
        return "root.zone" if zone == "." else zone + "zone"

    def _write(self, zone, lines):
        (self.folder / self._file(zone)).write_text(
            f"$ORIGIN {zone}\n$TTL 60\n@ IN SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n@ IN NS ns.example.\n{lines}")

    def _sign(self, zone, *options):
        """Gives its DS record."""
        key = self._run("ldns-keygen", "-r", "/dev/urandom", "-a", "ECDSAP256SHA256", "-k", zone)
        self._run("ldns-signzone", *options, "-o", zone, "-f", self._file(zone) + ".signed", self._file(zone), key)
        return (self.folder / f"{key}.ds").read_text()

    def _forge(self, zone):
        """The addresses of another machine, under the signatures of before."""
        path = self.folder / (self._file(zone) + ".signed")
        path.write_text(re.sub(r"(\sIN\s+A\s+127\.0\.0\.)1\b", r"\g<1>66", path.read_text()))

    def _configure(self):
        served = {".": "root.zone.signed", "example.": "example.zone.signed", "insecure.example.": "insecure.example.zone"}
        served |= {f"{child}.example.": f"{child}.example.zone.signed" for child in CHILDREN if child != "insecure"}
        (self.folder / "nsd.conf").write_text(
            f'server:\n ip-address: 127.0.0.1@{self.port}\n username: ""\n zonesdir: "{self.folder}"\n database: ""\n'
            f' pidfile: "{self.folder}/nsd.pid"\n xfrdfile: "{self.folder}/xfrd"\n zonelistfile: "{self.folder}/zones"\n'
            f' cookie-secret-file: ""\n xfrdir: "{self.folder}"\nremote-control:\n control-enable: no\n' +
            "".join(f'zone:\n name: "{zone}"\n zonefile: "{file}"\n' for zone, file in served.items()))
        self.config = self.folder / "unbound.conf"
        self.config.write_text(
            "server:\n do-not-query-localhost: no\n unblock-lan-zones: yes\n insecure-lan-zones: yes\n"
            f' trust-anchor-file: "{self.folder}/anchor"\n'
            f"forward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{self.port}\n")

    def close(self):
        self.process.terminate()
        self.process.wait()
