"""src/LAYERS is the law: a folder includes from the lines above its own and from itself."""
import re

import pytest

from source import SRC, code, files, line_of, name, read

# A foreign header and the folders that may know it.
FOREIGN = {
    r"uv\.h|uv/.*": {"io"},
    r"unbound\.h": {"dns"},
    r"curl/.*": {"https"},
    r"lmdb\.h": {"spool"},
    r"libpq-fe\.h": {"spool"},
    r"openssl/.*": {"tls", "crypto"},
    r"confuse\.h": {"conf"},
    r"idn2\.h": {"mail"},
    r"gsasl\.h|crypt\.h|argon2\.h": {"sasl"},
    r"seccomp\.h|linux/landlock\.h": {"supervisor"},
    r"microhttpd\.h": {"web"},
    r"zlib\.h": {"dsn", "reports"},
    r"expat\.h": {"reports"},
}

_OURS = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)
_THEIRS = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", re.M)


def layers():
    lines = [line.split("#")[0].split() for line in read(SRC / "LAYERS").splitlines()]
    return [line for line in lines if line]


def level_of():
    return {folder: level for level, line in enumerate(layers()) for folder in line}


def may_include(includer, included):
    levels = level_of()
    return includer == included or levels[included] < levels[includer]


def test_the_law_can_be_broken():
    assert may_include("spool", "base") and may_include("spool", "spool")
    assert not may_include("base", "spool") and not may_include("inbound", "outbound")


def test_every_folder_has_its_line_and_only_one():
    listed = [folder for line in layers() for folder in line]
    assert len(listed) == len(set(listed))
    found = {path.parent.relative_to(SRC).parts[0] for path in files("*.c", "*.h", "*.def")}
    assert found <= set(listed), f"not in src/LAYERS: {found - set(listed)}"


@pytest.mark.parametrize("path", files("*.c", "*.h", "*.def"), ids=name)
def test_includes_obey_the_layers(path):
    includer, text, wrong = path.relative_to(SRC).parts[0], read(path), []
    for match in _OURS.finditer(text):
        target = match.group(1)
        where = f"{name(path)}:{line_of(text, match.start())}: includes {target}"
        folder = target.split("/")[0]
        if "/" not in target or not (SRC / target).exists():
            wrong.append(f"{where}, which is no path from src")
        elif not may_include(includer, folder):
            wrong.append(f"{where}, which is not below {includer}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", files("*.c", "*.h"), ids=name)
def test_foreign_headers_stay_in_their_folder(path):
    includer, text = path.relative_to(SRC).parts[0], read(path)
    wrong = [f"{name(path)}:{line_of(text, match.start())}: <{match.group(1)}> belongs to {' and '.join(sorted(homes))}"
             for match in _THEIRS.finditer(text) for header, homes in FOREIGN.items()
             if re.fullmatch(header, match.group(1)) and includer not in homes]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", [path for path in files("*.c", "*.h") if path.parent.name not in ("io", "conf")], ids=name)
def test_no_type_of_the_loop_library_leaks(path):
    assert not re.search(r"\buv_\w+_t\b", code(path)), f"{name(path)} names a libuv type"
