from pipelines.common.output import text_table


def test_table_aligns_the_first_column_left_and_the_others_right():
    assert text_table.table(["genre", "n"], [["a", 10], ["metal", 2]]) == "genre   n\na      10\nmetal   2"
