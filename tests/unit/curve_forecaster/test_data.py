"""Files of curves: what is read, and what is refused with file, row and column."""

import math

import pytest
from curves import COMMODITY, YIELD
from data import read_curves
from train import main

from mlplatform.training.failures import BadData

GOOD = ("Date,1 Mo,10 Yr", "2024-01-02,5.1,4.0", "2024-01-03,5.2,4.1", "2024-01-04,5.3,4.2")
BAD = {
    "text": ((*GOOD[:2], "2024-01-03,n/a,4.1"), "row 3, column '1 Mo': 'n/a' is not a number"),
    "nan": ((*GOOD[:2], "2024-01-03,5.2,nan"), "row 3, column '10 Yr': 'nan' is not a number"),
    "infinite": ((*GOOD[:3], "2024-01-04,5.3,inf"), "row 4, column '10 Yr': 'inf' is infinite"),
    "overflow": ((*GOOD[:3], "2024-01-04,5.3,1e999"), "row 4, column '10 Yr': '1e999' is infinite"),
    "misordered": ((GOOD[0], GOOD[1], GOOD[3], GOOD[2]), "row 4, column 'Date': 2024-01-03 comes after 2024-01-04"),
    "turns": ((GOOD[0], GOOD[3], GOOD[2], GOOD[3]), "row 4, column 'Date': 2024-01-04 comes after 2024-01-03"),
    "twice": ((*GOOD[:3], GOOD[2]), "row 4, column 'Date': 2024-01-03 is there twice"),
    "date": ((*GOOD[:2], "2024-13-01,5.2,4.1"), "row 3, column 'Date': '2024-13-01' is not a date"),
    "no date": ((*GOOD[:2], ",5.2,4.1"), "row 3, column 'Date': '' is not a date"),
    "ragged": ((*GOOD[:2], "2024-01-03,5.2"), "row 3: 2 cells, and the header has 3"),
    "no date column": (("Day,1 Mo", "2024-01-02,5.1"), "row 1: no column is called 'Date'"),
    "same column": (("Date,1 Mo,1 Mo", "2024-01-02,5.1,5.1"), "row 1: two columns are called '1 Mo'"),
    "unnamed column": (("Date,,1 Mo", "2024-01-02,5.1,5.1"), "row 1: column 2 has no name"),
    "no tenor": (("Date", "2024-01-02"), "row 1: there is no column besides 'Date'"),
    "no rows": (("Date,1 Mo",), "has a header and no rows"),
    "empty": (("",), "is empty"),
    "quote": ((*GOOD[:2], '2024-01-03,"5.2,4.1'), "is not CSV"),
    "too short": (GOOD, "3 days with observations; a lookback of 20 and horizons up to 10 need 300"),
}


class TestReadCurves:
    def test_blank_stays_missing(self, curve_file):
        frame = read_curves(curve_file(*GOOD[:2], "2024-01-03,,4.1", "", GOOD[3]), YIELD)
        assert math.isnan(frame["1 Mo"].iloc[1])
        assert frame["10 Yr"].tolist() == [4.0, 4.1, 4.2]

    def test_newest_first_is_turned(self, curve_file):
        oldest_first = read_curves(curve_file(*GOOD), YIELD)
        newest_first = read_curves(curve_file(GOOD[0], *reversed(GOOD[1:])), YIELD)
        assert newest_first.equals(oldest_first)
        assert str(oldest_first.index[0].date()) == "2024-01-02"

    def test_american_dates_and_a_byte_order_mark(self, curve_file):
        text = "\ufeffDate,1 Mo\r\n12/05/2024,4.59\r\n12/06/2024,4.57\r\n"
        frame = read_curves(curve_file(raw=text.encode()), YIELD)
        assert [str(day.date()) for day in frame.index] == ["2024-12-05", "2024-12-06"]

    @pytest.mark.parametrize("cell", ["0", "-3.5"])
    def test_price_must_be_positive(self, curve_file, cell):
        path = curve_file(GOOD[0], f"2024-01-02,{cell},4.0")
        with pytest.raises(BadData, match=r"row 2, column '1 Mo': .* is not positive"):
            read_curves(path, COMMODITY)
        assert read_curves(path, YIELD)["1 Mo"].tolist() == [float(cell)]

    def test_line_numbers_are_those_of_the_file(self, curve_file):
        with pytest.raises(BadData, match="row 5, column '1 Mo'"):
            read_curves(curve_file(GOOD[0], "", "", GOOD[1], "2024-01-03,x,4.1"), YIELD)


class TestBadFile:
    """Nothing listens at the address given for MLflow: a run that tried to log would end with 5, not 2."""

    @pytest.fixture(autouse=True)
    def no_server(self, monkeypatch):
        monkeypatch.setenv("ML_MLFLOW_URL", "http://127.0.0.1:1")

    @pytest.mark.parametrize("case", BAD)
    def test_ends_with_2_and_says_where(self, curve_file, capsys, case):
        lines, said = BAD[case]
        path = curve_file(*lines)
        assert main(["--curve-type", "yield", "--model-type", "ridge", "--data", str(path)]) == 2
        output = capsys.readouterr()
        assert f"{path}" in output.err
        assert said in output.err
        assert output.out == ""

    def test_missing_file(self, tmp_path, capsys):
        path = tmp_path / "absent.csv"
        assert main(["--curve-type", "yield", "--model-type", "ridge", "--data", str(path)]) == 2
        assert f"{path}: cannot be read: No such file" in capsys.readouterr().err

    def test_bytes_that_are_no_text(self, curve_file, capsys):
        path = curve_file(raw=b"Date,1 Mo\n2024-01-02,\xff\xfe\n")
        assert main(["--curve-type", "fx", "--model-type", "ridge", "--data", str(path)]) == 2
        assert "is not UTF-8 text" in capsys.readouterr().err

    def test_folds_shorter_than_the_horizon(self, capsys):
        command = ["--curve-type", "yield", "--model-type", "ridge", "--rows", "300", "--folds", "30"]
        assert main(command) == 2
        assert "fewer --folds" in capsys.readouterr().err
