#!/usr/bin/env python3
"""Every relative link of the documents leads to a file that is there, and to a heading that is in it; README names every document."""
import pathlib
import re
import sys
import unicodedata

FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


def slug(heading: str) -> str:
    """As GitHub makes it: lower case, spaces to hyphens, no punctuation but - and _."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    kept = (c for c in text if c in " -_" or unicodedata.category(c)[0] in "LN")
    return "".join(kept).replace(" ", "-")


def anchors(path: pathlib.Path) -> set:
    found = {}
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", FENCE.sub("", path.read_text()), re.MULTILINE):
        name = slug(heading)
        found[name] = found.get(name, -1) + 1
        if found[name]:
            found[f"{name}-{found[name]}"] = 0
    return set(found)


def links(path: pathlib.Path):
    """Line and target of each link outside code."""
    text = FENCE.sub(lambda fence: "\n" * fence.group().count("\n"), path.read_text())
    text = re.sub(r"(`+)(?:(?!\1).)+?\1", lambda code: "x" * len(code.group()), text)
    for link in LINK.finditer(text):
        yield text.count("\n", 0, link.start()) + 1, link.group(1)


def broken(root: pathlib.Path, documents):
    for path in documents:
        for number, target in links(path):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            file, _, anchor = target.partition("#")
            to = (path.parent / file).resolve() if file else path
            where = f"{path.relative_to(root)}:{number}"
            if not to.exists():
                yield f"{where}: {target}: no such file"
            elif anchor and to.suffix == ".md" and anchor not in anchors(to):
                yield f"{where}: {target}: no such heading in {to.relative_to(root)}"


def unnamed(root: pathlib.Path):
    named = {target.partition("#")[0] for _, target in links(root / "README.md")}
    for path in sorted((root / "docs").glob("*.md")):
        if str(path.relative_to(root)) not in named:
            yield f"README.md: {path.relative_to(root)} is not in its list of documents"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    documents = [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted(root.glob("*/README.md"))]
    found = [*broken(root, documents), *unnamed(root)]
    print("\n".join(found) or f"docs: every link of {len(documents)} documents leads somewhere")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
