import pytest

from gpucnn.commands.tables import new_table, print_table


@pytest.mark.parametrize("text", ["[red]cpu", "[/]", ":warning: cpu"])
def test_a_cell_is_printed_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = new_table("", numbers=())
    table.add_row(text)
    print_table(table)
    assert capsys.readouterr().out.strip() == text
