"""The Debian package on a fresh Debian: it installs, serves the people of the machine, and goes without a trace but mail.

It is installed by what packaging/Containerfile says, and served as that says.
"""
import json
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONTAINERFILE = ROOT / "packaging" / "Containerfile"
SPEC = ROOT / "packaging" / "rpm" / "postroad.spec"

LOOK = """
set -e
useradd -m alice
postroad check
for page in man1/mailq.1 man1/newaliases.1 man1/sendmail.1 man5/postroad.conf.5 man5/postroad.log.5 man5/aliases.5 man8/postroad.8 man8/postroad-queue.8; do
	zcat /usr/share/man/$page.gz | grep -q '^.Sh NAME'
done
grep -q 'ten-minute start' /usr/share/doc/postroad/html/index.html
test -e /usr/share/doc/postroad/html/start.html
test -e /usr/share/doc/postroad/html/manual.css
test -e /lib/systemd/system/postroad.service
postroad help | grep -q serve
. /usr/share/bash-completion/completions/postroad
COMP_WORDS=(postroad rel) COMP_CWORD=1
_postroad
echo "completed: ${COMPREPLY[*]}"
"""

# What the unit starts, by hand: no service manager runs here. One listener, on loopback, in a network of its own.
SERVE = """
mkdir -p /var/log/postroad
echo 'log { to = "/var/log/postroad/log" }' >>/etc/postroad/postroad.conf
SERVER 2>/tmp/said &
server=$!
for _ in $(seq 100); do grep -q ready /tmp/said && break; sleep 0.1; done
HEALTH >/dev/null && echo "is healthy"
send() {
	su alice -c "printf 'Subject: hi\\n\\nhello\\n' | /usr/lib/sendmail -i root alice@mail.example.org"
	for _ in $(seq 100); do mailq | grep -q 'queue is empty' && break; sleep 0.1; done
}
send
mailq
newaliases
find /var/mail -type f -printf '%u %m %h\\n' | sort
for _ in $(seq 100); do grep -q 'configuration reloaded' /tmp/said && break; sleep 0.1; done

logrotate -f /etc/logrotate.d/postroad
for _ in $(seq 100); do send; test -e /var/log/postroad/log && grep -q received /var/log/postroad/log && break; done
grep -q received /var/log/postroad/log.1 && grep -q received /var/log/postroad/log && echo "the log goes on"

dpkg -i /var/tmp/again.deb >/dev/null
for _ in $(seq 100); do grep -q upgraded /tmp/said && break; sleep 0.1; done
grep -q upgraded /tmp/said && kill -0 $server && HEALTH >/dev/null && echo "upgraded in its place"
kill $server
wait $server && echo "ended well"
"""

# The manual's own words, but for a certificate of nobody in place of certbot's.
DOMAIN = """
certificate=/etc/letsencrypt/live/mail.example.org
mkdir -p $certificate
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mail.example.org \\
	-addext subjectAltName=DNS:mail.example.org -keyout $certificate/privkey.pem -out $certificate/fullchain.pem 2>/dev/null
cat >/tmp/typed <<'TYPED'
CHAPTER
TYPED
echo pencil | bash -e /tmp/typed || exit 1
grep -q '^example.org. IN MX 10 mail.example.org.' example.org.zone && postroad user list
postroad serve 2>/tmp/said &
server=$!
for _ in $(seq 100); do grep -q ready /tmp/said && break; sleep 0.1; done
postroad doctor | grep 'certificate'
kill $server
wait $server && echo "a domain is served"
"""

PURGE = """
dpkg -P postroad 2>&1 | grep -v crontab
getent passwd postroad postroad-auth && echo "a user is left"
find /etc /var /run /usr /lib/ -name '*postroad*' -printf 'left: %p\\n'
find /var/mail -type f | wc -l
"""


def instructions():
    """{"RUN": ["..."], ...} of the Containerfile, which has one line for each."""
    found = {}
    for line in CONTAINERFILE.read_text().splitlines():
        if line and not line.startswith("#"):
            word, rest = line.split(" ", 1)
            found.setdefault(word, []).append(rest)
    return found


@pytest.fixture(scope="module")
def package():
    subprocess.run([ROOT / "dev", "package"], check=True, capture_output=True, timeout=900)
    [path] = (ROOT / "build" / "package").glob("postroad_*.deb")
    return path


@pytest.fixture
def debian(package, tmp_path):
    """A root where it was installed."""
    root = tmp_path / "root"
    run, = instructions()["RUN"]
    script = tmp_path / "run"
    script.write_text(f"export DEBIAN_FRONTEND=noninteractive\n{run}\n")
    made = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io", "--include=logrotate",
                           '--customize-hook=echo mail.example.org >"$1/etc/mailname"',
                           f'--customize-hook=cp {package} "$1/tmp/postroad.deb"', f'--customize-hook=cp {package} "$1/var/tmp/again.deb"',
                           f'--customize-hook=chroot "$1" sh -e <{script}', "bookworm", root],
                          capture_output=True, text=True, timeout=900)
    assert made.returncode == 0, made.stdout + made.stderr
    return root


def typed_for_a_domain():
    """What own-domain.md tells to type under "Set up"; no service manager and no authority are here."""
    chapter = (ROOT / "docs" / "manual" / "own-domain.md").read_text()
    typed = re.search(r"^## Set up\n.*?^```sh\n(.*?)^```", chapter, re.M | re.S).group(1)
    lines = [line.replace("sudo ", "") for line in typed.split("\n") if "certbot" not in line and "systemctl" not in line]
    assert any("quickstart" in line for line in lines)
    return "\n".join(lines)


def inside(root, script):
    enter = f'mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev && exec chroot {root} /usr/bin/env -i PATH={PATH} bash'
    return subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "sh", "-c", enter], input=script,
                          capture_output=True, text=True, timeout=300)


def test_the_containerfile_says_what_is_tried_here():
    found = instructions()
    assert set(found) == {"FROM", "COPY", "RUN", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert found["FROM"] == ["debian:bookworm-slim"] and found["STOPSIGNAL"] == ["SIGTERM"]
    assert found["COPY"] == ["build/package/postroad_*.deb /tmp/postroad.deb"]
    assert json.loads(found["VOLUME"][0]) == ["/etc/postroad", "/var/lib/postroad", "/var/mail"]


def test_the_spec_file_can_be_read():
    parsed = subprocess.run(["rpmspec", "-P", SPEC], capture_output=True, text=True)
    assert parsed.returncode == 0 and not parsed.stderr, parsed.stderr
    linted = subprocess.run(["rpmlint", "-c", SPEC.with_name("rpmlint.toml"), SPEC], capture_output=True, text=True)
    assert linted.returncode == 0 and "0 errors, 0 warnings" in linted.stdout, linted.stdout
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
    assert f"Version:        {version}\n" in SPEC.read_text()
    # What it takes from the tree is there.
    for path in re.findall(r"(?<![\w/}])(?:packaging|docs|tools)/[\w./-]+\w", SPEC.read_text()):
        assert (ROOT / path).exists() or path in ("docs/postroad.conf.5", "docs/postroad.log.5", "docs/postroad.conf.sample"), path


def test_the_package_serves_and_goes(debian):
    looked = inside(debian, LOOK)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert "completed: reload" in looked.stdout
    found = instructions()
    server = " ".join(json.loads(found["ENTRYPOINT"][0]) + json.loads(found["CMD"][0]))
    health = " ".join(json.loads(found["HEALTHCHECK"][0].removeprefix("CMD ")))
    ran = inside(debian, SERVE.replace("SERVER", server).replace("HEALTH", health))
    served = ran.stdout.split("\n")
    for line in ("is healthy", "The queue is empty.", "the log goes on", "upgraded in its place", "ended well"):
        assert line in served, (line, ran.stdout, ran.stderr)
    assert "alice 600 /var/mail/alice/new" in served and "root 600 /var/mail/root/new" in served, served
    domain = inside(debian, DOMAIN.replace("CHAPTER", typed_for_a_domain()))
    assert domain.returncode == 0 and "a domain is served" in domain.stdout and "alice" in domain.stdout.split("\n"), domain.stdout + domain.stderr
    purged = inside(debian, PURGE).stdout.split("\n")
    assert not [line for line in purged if "left" in line], purged
    assert int(purged[-2]) >= 2
