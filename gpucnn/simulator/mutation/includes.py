"""Sources with those files included in place that have a part which is looked for."""

import re
from collections.abc import Sequence
from pathlib import Path

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"].*$', re.MULTILINE)
_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once\b.*$", re.MULTILINE)


def with_includes(
    source: str | Path, options: Sequence[str], parts: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """The text of a source, in which lines and files keep their numbers and names.

    Args:
        source: CUDA C, or the path of a file of it.
        options: of the compiler, of which those with folders of includes are used.
        parts: texts; files that have none of them stay included by the compiler.

    Returns:
        The text, and the options that it needs besides, which is no longer in its folder.
    """
    folders = [Path(each[2:]) for each in options if each.startswith("-I")]
    if isinstance(source, str):
        return _expanded(source, None, folders, parts, set()), ()
    if not source.is_file():
        return "", ()  # which the compiler reports
    text = _expanded(_read(source), source, folders, parts, set())
    return f'# 1 "{source}"\n{text}', (f"-I{source.parent}",)


def _expanded(
    text: str, file: Path | None, folders: Sequence[Path], parts: Sequence[str], seen: set[Path]
) -> str:
    own = [] if file is None else [file.parent]

    def expand(include: re.Match[str]) -> str:
        found = next((f / include[1] for f in (*own, *folders) if (f / include[1]).is_file()), None)
        if found is None:
            return include[0]
        if found.resolve() in seen:
            return ""
        inner = _expanded(_read(found), found, folders, parts, seen)
        if not any(part in inner for part in parts):
            return include[0]
        if _ONCE.search(inner):
            seen.add(found.resolve())
        following = text.count("\n", 0, include.start()) + 2
        return f'# 1 "{found}"\n{inner}\n# {following} "{file or "source.cu"}"'

    return _INCLUDE.sub(expand, text)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")
