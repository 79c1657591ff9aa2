import pytest

from gpucnn.utils.table import Table

TABLE = Table("a & b", ("name", "count"), [("x\ny", 1234), ("<b>", 5)], ("total", 1239), "a note")


def test_a_table_for_a_page() -> None:
    left, right = 'style="text-align:left"', 'style="text-align:right"'
    assert TABLE.to_html() == (
        '<table><caption style="text-align:left;white-space:nowrap">a &amp; b</caption>'
        f"<thead><tr><th {left}>name</th><th {right}>count</th></tr></thead><tbody>"
        f"<tr><td {left}>x<br>y</td><td {right}>1,234</td></tr>"
        f"<tr><td {left}>&lt;b&gt;</td><td {right}>5</td></tr></tbody>"
        f"<tfoot><tr><th {left}>total</th><th {right}>1,239</th></tr></tfoot></table>"
        "<p>a note</p>"
    )


def test_a_table_of_nothing_has_its_headings() -> None:
    page = Table("empty", ("name", "count"), []).to_html()
    assert page.count("<th ") == 2
    assert page.endswith("<tbody></tbody></table>")


def test_a_table_in_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    TABLE.print()
    lines = [line.strip(" │┃") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "a & b"
    assert lines[-1] == "a note"
    assert any(line.split() == ["total", "│", "1,239"] for line in lines)
    assert any(line.split() == ["x", "│", "1,234"] for line in lines)


def test_brackets_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    Table("[red]title", ("name",), [("[/b]",)], ("[bold]",), "[i]note").print()
    printed = capsys.readouterr().out
    assert all(each in printed for each in ("[red]title", "[/b]", "[bold]", "[i]note"))
