#!/usr/bin/python3
"""make_manual.py PAGES FOLDER: the manual as HTML in FOLDER, from docs/manual and the manual pages in PAGES.

The chapters are rendered by cmark-gfm, the manual pages by mandoc. What is made asks for nothing from anywhere, and needs no
script.
"""
import html
import pathlib
import re
import shutil
import subprocess
import sys

import manual

HEADING = re.compile(r"<h([1-4])>(.*?)</h\1>", re.S)
PICTURE = re.compile(r'<p><img src="([a-z]+\.svg)" alt="([^"]*)" /></p>')
TAGS = re.compile(r"<[^>]+>")


def slug(text):
    """As forges make them, so that a link works there as well."""
    words = html.unescape(TAGS.sub("", text)).lower()
    return re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", words)).strip("-") or "section"


class Page:
    """`name`: of its file; `title`; `part`: the group that it stands in; `body`; `sections`: (anchor, HTML of the heading)."""

    def __init__(self, name, title, body, sections=()):
        self.name, self.title, self.body, self.sections = name, title, body, list(sections)


def anchored(body):
    """Every heading with an anchor of its own; gives the text, its title and the sections."""
    seen, sections, titles = set(), [], []

    def mark(found):
        level, inner = int(found.group(1)), found.group(2)
        anchor = base = slug(inner)
        for number in range(1, 1000):
            if anchor not in seen:
                break
            anchor = f"{base}-{number}"
        seen.add(anchor)
        if level == 1:
            titles.append(html.unescape(TAGS.sub("", inner)))
            return f"<h1>{inner}</h1>"
        if level == 2:
            sections.append((anchor, inner))
        return f'<h{level} id="{anchor}"><a href="#{anchor}">{inner}</a></h{level}>'

    return HEADING.sub(mark, body), titles[0], sections


def picture(found):
    """Inside the page, so that it has the page's colours."""
    drawing = (manual.FOLDER / found.group(1)).read_text()
    labelled = drawing[drawing.index("<svg"):].replace("<svg ", f'<svg role="img" aria-label="{found.group(2)}" ', 1)
    return f"<figure>{labelled}</figure>"


def chapter(path):
    body = subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", path], capture_output=True, text=True, check=True).stdout
    body, title, sections = anchored(PICTURE.sub(picture, body))
    # Links between sources become links between pages; what is not rendered is named, not linked.
    body = re.sub(r'href="(?:[^":]*/)?([A-Za-z-]+)\.md(#[^"]*)?"', r'href="\1.html\2"', body)
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return Page(path.stem + ".html", title, body, sections)


def manual_page(path, names):
    body = subprocess.run(["mandoc", "-T", "html", "-O", "fragment,man=%N.%S.html", path], capture_output=True, text=True,
                          check=True).stdout
    # Pages of other packages are named only.
    body = re.sub(r'<a class="Xr" href="([^"]*)">(.*?)</a>',
                  lambda found: found.group() if found.group(1) in names else f'<span class="Xr">{found.group(2)}</span>', body)
    title = f"{path.stem}({path.suffix[1:]})"
    sections = re.findall(r'<h1 class="Sh" id="([^"]+)"><a class="permalink" href="[^"]*">(.*?)</a></h1>', body, re.S)
    body = re.sub(r"<(/?)h2\b", r"<\1h3", body)
    body = re.sub(r"<(/?)h1\b", r"<\1h2", body)
    return Page(path.name + ".html", title, f'<h1>{title}</h1>\n<div class="man">{body}</div>', sections)


def order(path):
    """postroad(8) first, then its commands, then files."""
    return path.suffix != ".8", path.stem


FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="manual.css">
</head>
<body>
<header><a href="index.html">postroad</a> <span>{version}</span> <a class="jump" href="#chapters">Chapters</a></header>
<main>
{body}
<footer><nav aria-label="Neighbours">{before}{behind}</nav></footer>
</main>
<nav class="contents" id="chapters" aria-label="Chapters">
{contents}
</nav>
</body>
</html>
"""


def listed(pages, current):
    rows = "".join('<li><a href="{}"{}>{}</a></li>'.format(page.name, ' aria-current="page"' if page is current else "",
                                                         html.escape(page.title)) for page in pages)
    return f"<ol>{rows}</ol>"


def framed(page, parts, pages, version):
    at = pages.index(page)
    contents = "\n".join(f"<h2>{html.escape(name)}</h2>{listed(inside, page)}" if name else listed(inside, page) for name, inside in parts)
    body = page.body
    if len(page.sections) > 2 and page.name != "index.html":
        rows = "".join(f'<li><a href="#{anchor}">{TAGS.sub("", inner)}</a></li>' for anchor, inner in page.sections)
        body = body.replace("</h1>", f'</h1>\n<ul class="here">{rows}</ul>', 1)
    before = pages[at - 1] if at > 0 else None
    behind = pages[at + 1] if at + 1 < len(pages) else None
    title = page.title if page.name == "index.html" else f"{page.title} - postroad"
    return FRAME.format(
        title=html.escape(title), version=html.escape(version), contents=contents, body=body,
        before=f'<a rel="prev" href="{before.name}">{html.escape(before.title)}</a>' if before else "<span></span>",
        behind=f'<a rel="next" href="{behind.name}">{html.escape(behind.title)}</a>' if behind else "")


def make(pages_folder, folder):
    version = re.search(r"version: '([^']+)'", (manual.ROOT / "meson.build").read_text()).group(1)
    sources = sorted((path for path in pages_folder.iterdir() if path.suffix in (".5", ".8")), key=order)
    names = {path.name + ".html" for path in sources}
    written = [chapter(path) for path in manual.chapters()]
    deeper = [page for page, path in zip(written, manual.chapters()) if path.parent != manual.FOLDER]
    told = [page for page in written if page not in deeper]
    commands = [manual_page(path, names) for path in sources if path.suffix == ".8"]
    files = [manual_page(path, names) for path in sources if path.suffix == ".5"]
    parts = [("", told), ("Commands", commands), ("Files", files), ("How it is built", deeper)]
    pages = [page for _, inside in parts for page in inside]

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(manual.FOLDER / "manual.css", folder)
    for page in pages:
        (folder / page.name).write_text(framed(page, [part for part in parts if part[1]], pages, version))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    make(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
