"""The Open Inference Protocol, as a client of another maker speaks it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from mlplatform.registry.register import register_model_version
from tests.contract.wire.models import TENSOR_MODELS
from tests.contract.wire.ours import our_server
from tests.contract.wire.published import Published, published

HEADER = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Server:
    """A running service, its models, and two clients."""

    http: httpx.Client
    triton: triton.InferenceServerClient
    models: Published

    def infer(self, model: str, arrays: dict[str, np.ndarray], *, binary: bool, version: str = "", **more: Any) -> Any:
        """Ask with tritonclient, all values in JSON or all of them binary."""
        inputs = []
        for name, array in arrays.items():
            tensor = triton.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(array, binary_data=binary)
            inputs.append(tensor)
        return self.triton.infer(self.models.name(model), inputs, model_version=version, **more)

    def post(self, model: str, body: Any, version: str = "", **options: Any) -> httpx.Response:
        """Ask with JSON."""
        path = f"/v2/models/{self.models.name(model)}{version}/infer"
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.http.post(path, **content, **options)


@pytest.fixture(scope="module")
def server(stack_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with one model of each kind."""
    folder = tmp_path_factory.mktemp("v2")
    with (
        published(stack_env["ML_MLFLOW_URL"], TENSOR_MODELS, folder) as models,
        our_server(stack_env, models, folder) as http,
    ):
        client = triton.InferenceServerClient(re.sub("^http://", "", str(http.base_url)).rstrip("/"))
        yield Server(http, client, models)
        client.close()


def tensor(name: str, datatype: str, shape: list[int], data: Any, **parameters: Any) -> dict[str, Any]:
    """Return an input."""
    found = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    return found | ({"parameters": parameters} if parameters else {})


AB = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([0.5, -1.0, 7.0])}
SCORES = 3.3 * AB["a"] + AB["b"] / 7


class TestServer:
    """What the server says of itself."""

    def test_lives_and_is_ready(self, server: Server):
        assert server.triton.is_server_live()
        assert server.triton.is_server_ready() == (server.http.get("/health/ready").status_code == 200)
        assert server.http.get("/v2/health/live").json() == {"live": True}

    @pytest.mark.parametrize("path", ["/v2", "/v2/"])
    def test_names_its_extensions(self, server: Server, path: str):
        assert server.http.get(path).json() == server.triton.get_server_metadata()
        assert server.http.get(path).json()["extensions"] == ["binary_tensor_data", "model_repository", "statistics"]


class TestMetadata:
    """What models say of themselves."""

    def test_lists_columns_as_tensors(self, server: Server):
        found = server.triton.get_model_metadata(server.models.name("mirror"))
        types = {entry["name"]: (entry["datatype"], entry["shape"]) for entry in found["inputs"]}
        assert found["platform"] == "mlflow"
        assert found["versions"] == ["1"]
        assert types["d"] == ("FP64", [-1, 1])
        assert [types[name][0] for name in "flibsxt"] == ["FP32", "INT64", "INT32", "BOOL", "BYTES", "BYTES", "BYTES"]

    def test_lists_tensors_with_their_shapes(self, server: Server):
        found = server.triton.get_model_metadata(server.models.name("image"))
        assert found["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 2, 2]}]
        assert server.triton.get_model_metadata(server.models.name("half"))["inputs"][0]["name"] == "input-0"

    @pytest.mark.parametrize("version", ["1", "production"])
    def test_takes_versions_and_aliases(self, server: Server, version: str):
        assert server.triton.is_model_ready(server.models.name("linear"), version)
        assert server.triton.get_model_metadata(server.models.name("linear"), version)["versions"] == ["1"]

    @pytest.mark.parametrize("version", ["2", "nobody", "a%20b", "0"])
    def test_knows_no_others(self, server: Server, version: str):
        assert not server.triton.is_model_ready(server.models.name("linear"), version)
        answer = server.http.get(f"/v2/models/{server.models.name('linear')}/versions/{version}")
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}


class TestInfer:
    """Round trips of another maker's client."""

    @pytest.mark.parametrize("binary", [False, True])
    @pytest.mark.parametrize("wide", [False, True])
    def test_one_tensor_per_column(self, server: Server, binary: bool, wide: bool):
        arrays = {name: column.reshape(-1, 1) if wide else column for name, column in AB.items()}
        found = server.infer("linear", arrays, binary=binary)
        np.testing.assert_allclose(found.as_numpy("output-0"), SCORES, rtol=1e-12)

    @pytest.mark.parametrize("binary", [False, True])
    def test_one_table_by_position(self, server: Server, binary: bool):
        table = np.column_stack([AB["a"], AB["b"]])
        for array in (table, table.astype(np.float32)):
            found = server.infer("linear", {"any name": array}, binary=binary)
            np.testing.assert_allclose(found.as_numpy("output-0"), SCORES, rtol=1e-6)

    def test_json_and_binary_answer_alike(self, server: Server):
        table = {"x": np.random.default_rng(1).normal(size=(500, 2))}
        in_json, binary = (server.infer("linear", table, binary=kind).as_numpy("output-0") for kind in (False, True))
        assert in_json.tobytes() == binary.tobytes()

    @pytest.mark.parametrize("binary", [False, True])
    def test_every_type_comes_back_as_it_went(self, server: Server, binary: bool):
        given = {
            "d": np.array([1.5, np.nan if binary else 0.1]),
            "f": np.array([0.1, -2.0], dtype=np.float32),
            "l": np.array([2**53 + 1, -(2**63)], dtype=np.int64),
            "i": np.array([7, -8], dtype=np.int32),
            "b": np.array([True, False]),
            "s": np.array(["é:", ""], dtype=object),
            "x": np.array([b"\x00\xff" if binary else b"ab", b""], dtype=object),
            "t": np.array(["2026-01-02T03:04:05", "1999-12-31T00:00:00"], dtype=object),
        }
        wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in given]
        found = server.infer("mirror", given, binary=binary, outputs=wanted)
        for name in "dflib":
            assert found.as_numpy(name).reshape(-1).tobytes() == given[name].tobytes(), name
        texts = [value if isinstance(value, bytes) else value.encode() for value in found.as_numpy("s").reshape(-1)]
        assert texts == ["é:".encode(), b""]
        assert [as_bytes(value) for value in found.as_numpy("x").reshape(-1)] == list(given["x"])
        assert [as_bytes(value)[:19] for value in found.as_numpy("t").reshape(-1)] == [v.encode() for v in given["t"]]

    def test_half_precision_is_binary(self, server: Server):
        given = np.array([[1.5, -2.0, 65504.0]], dtype=np.float16)
        wanted = [triton.InferRequestedOutput("output-0", binary_data=True)]
        found = server.infer("half", {"x": given}, binary=True, outputs=wanted).as_numpy("output-0")
        assert (found.dtype, found.tobytes()) == (np.float16, given.tobytes())
        found = server.post("half", {"inputs": [tensor("x", "FP16", [1, 3], [1.0, 2.0, 3.0])]})
        assert (found.status_code, "FP16" in found.json()["error"]) == (400, True)

    def test_half_precision_answers_json_as_floats(self, server: Server):
        given = tensor("x", "FP32", [1, 3], [1.5, 2.0, 3.0])
        found = server.post("half", {"inputs": [given]}).json()["outputs"]
        assert found == [given | {"name": "output-0"}]

    @pytest.mark.parametrize("binary", [False, True])
    def test_tensors_by_name(self, server: Server, binary: bool):
        given = {"x": np.array([[1, 2]], dtype=np.float32), "y": np.array([3], dtype=np.int64)}
        found = server.infer("pair", given, binary=binary)
        for name, array in given.items():
            np.testing.assert_array_equal(found.as_numpy(name), array)

    @pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6, 7, 8], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]])
    def test_nested_and_flat_data(self, server: Server, data: Any):
        found = server.post("image", {"inputs": [tensor("image", "UINT8", [2, 2, 2], data)]})
        (output,) = found.json()["outputs"]
        assert (output["shape"], output["data"]) == ([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])

    def test_version_alias_and_id(self, server: Server):
        for version in ("1", "production"):
            found = server.infer("linear", AB, binary=False, version=version, request_id="r-1").get_response()
            assert (found["model_name"], found["model_version"], found["id"]) == (
                server.models.name("linear"),
                "1",
                "r-1",
            )
        body = {"inputs": [tensor(name, "FP64", [3], column.tolist()) for name, column in AB.items()]}
        answer = server.post("linear", body, "/versions/production")
        assert "id" not in answer.json()
        assert answer.headers["x-model-version"] == "1"
        assert answer.headers["x-model-name"] == server.models.name("linear")

    def test_parameters_reach_the_model(self, server: Server):
        found = server.infer("params", AB, binary=False, parameters={"k": 5, "other": "x"}).as_numpy("output-0")
        assert json.loads(found[0])[2] == {"k": 5}

    def test_asks_for_outputs(self, server: Server):
        given = {"x": np.array([[1, 2]], dtype=np.float32), "y": np.array([3], dtype=np.int64)}
        wanted = [triton.InferRequestedOutput("y", binary_data=True)]
        found = server.infer("pair", given, binary=True, outputs=wanted)
        assert [output["name"] for output in found.get_response()["outputs"]] == ["y"]
        with pytest.raises(InferenceServerException, match="x, y"):
            server.infer("pair", given, binary=True, outputs=[triton.InferRequestedOutput("z")])

    def test_null_is_a_missing_number(self, server: Server):
        given = [tensor("x", "FP64", [1, 2], [None, 1])]
        assert server.post("undeclared", {"inputs": given}).json()["outputs"][0]["data"] == [None, 1.0]

    def test_no_rows(self, server: Server):
        found = server.post("linear", {"inputs": [tensor("x", "FP64", [0, 2], [])]})
        assert found.json()["outputs"] == [tensor("output-0", "FP64", [0], [])]

    def test_lists_as_json(self, server: Server):
        given = tensor("ids", "BYTES", [2], ["[1, 2]", "[]"])
        found = server.post("lists", {"inputs": [given]}).json()
        assert json.loads(found["outputs"][0]["data"][0])[1] == {"ids": [[1, 2], []]}


class TestRawBodies:
    """Bodies without JSON."""

    def test_a_row_of_columns(self, server: Server):
        row = np.array([1.0, 0.5])
        answer = server.post("linear", row.tobytes(), headers={HEADER: "0"})
        assert answer.headers["content-type"] == "application/octet-stream"
        length = int(answer.headers[HEADER])
        assert json.loads(answer.content[:length])["outputs"][0]["parameters"] == {"binary_data_size": 8}
        assert np.frombuffer(answer.content[length:])[0] == pytest.approx(3.3 + 0.5 / 7)

    def test_an_image_and_a_text(self, server: Server):
        answer = server.post("image", bytes([1, 2, 3, 4]), headers={HEADER: "0"})
        assert answer.content.endswith(bytes([1, 2, 3, 4]))
        answer = server.post("text", "é".encode(), headers={HEADER: "0"})
        assert answer.content.endswith(b"\x02\x00\x00\x00" + "é".encode())

    @pytest.mark.parametrize(("model", "body"), [("linear", b"123"), ("pair", b"12345678"), ("undeclared", b"1")])
    def test_refuses_what_it_cannot_know(self, server: Server, model: str, body: bytes):
        answer = server.post(model, body, headers={HEADER: "0"})
        assert answer.status_code == 400
        assert answer.json()["error"]


class TestRepository:
    """The model repository extension."""

    def test_lists_models(self, server: Server):
        rows = server.triton.get_model_repository_index()
        assert {"name": server.models.name("linear"), "version": "1", "state": "READY", "reason": ""} in rows

    def test_loads_ahead_and_frees(self, server: Server):
        name = server.models.name("text")
        version = register_model_version(server.models.registry, name, server.models.uris["text"]).version
        loaded = server.http.post(f"/v2/repository/models/{name}/load", json={"parameters": {"version": version}})
        assert loaded.json() == {"name": name, "version": version}
        assert server.triton.get_model_metadata(name)["versions"] == ["1", version]
        freed = server.http.post(f"/v2/repository/models/{name}/unload")
        assert freed.json() == {"name": name, "unloaded": [version], "in_production": ["1"]}
        server.triton.load_model(name)
        server.triton.unload_model(name)
        assert server.triton.is_model_ready(name)

    def test_refuses_what_it_does_not_do(self, server: Server):
        with pytest.raises(InferenceServerException, match="parameters"):
            server.triton.load_model(server.models.name("text"), config="{}")
        with pytest.raises(InferenceServerException):
            server.triton.load_model("nobody")
        with pytest.raises(InferenceServerException):
            server.triton.unload_model("nobody")


class TestStatistics:
    """The statistics extension."""

    def test_counts_calls_and_rows(self, server: Server):
        name = server.models.name("linear")
        server.infer("linear", AB, binary=True)
        before = statistics(server, name)
        server.infer("linear", AB, binary=True)
        after = statistics(server, name)
        assert after["inference_count"] - before["inference_count"] == 3
        assert after["execution_count"] - before["execution_count"] == 1
        assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
        assert name in {entry["name"] for entry in server.triton.get_inference_statistics()["model_stats"]}


def statistics(server: Server, name: str) -> Any:
    """Return the statistics of a model's only version."""
    (found,) = server.triton.get_inference_statistics(name)["model_stats"]
    return found


def as_bytes(value: Any) -> bytes:
    """Return an element of BYTES, which comes as text in JSON."""
    return value if isinstance(value, bytes) else value.encode()
