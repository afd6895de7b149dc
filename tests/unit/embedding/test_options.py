import pytest

from services.embedding.reindexing.options import parse


class TestParse:
    def test_every_kind_is_none(self):
        assert parse(["--entity", "all"]).entity is None
        assert parse(["--entity", "doc"]).entity == "doc"

    def test_has_the_engine_of_the_nodes_by_default(self):
        options = parse(["--entity", "doc", "--batch-size", "32", "--tenant", "acme", "--tenant", "zeta"])

        assert (options.engine, options.batch_size, options.tenants) == ("stream", 32, ("acme", "zeta"))

    @pytest.mark.parametrize(
        "arguments",
        [[], ["--entity", "doc", "--engine", "dask"], ["--entity", "doc", "--batch-size", "0"], ["--entity"]],
    )
    def test_wrong_arguments_end_with_64(self, arguments, capsys):
        with pytest.raises(SystemExit) as ended:
            parse(arguments)

        assert ended.value.code == 64
        assert "usage" in capsys.readouterr().out.lower()
