from gpucnn.notebook.figures import Row, reproduce


def test_all_fourteen_figures_come_out_to_the_printed_digit() -> None:
    rows = reproduce()
    assert [row.computed for row in rows] == [
        ("15.00", "2.31577"),
        ("17.00", "2.30219"),
        ("41.00", "2.10387"),
        ("58.00", "1.94948"),
        ("75.00", "1.79744"),
        ("80.00", "1.64556"),
        ("83.00", "1.48968"),
    ]
    assert sum(row.agreeing for row in rows) == 14


def test_a_figure_that_differs_is_counted_as_such() -> None:
    assert Row("", ("1.00", "2.00000"), ("1.00", "2.00001")).agreeing == 1
    assert Row("", ("1.00", "2.00000"), ("1.01", "2.00001")).agreeing == 0
