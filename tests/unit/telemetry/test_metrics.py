from mlplatform.telemetry.metrics import observe_request, render_metrics


def count(**labels: str) -> int:
    wanted = "ml_http_request_duration_seconds_count{"
    for line in render_metrics().decode().splitlines():
        if line.startswith(wanted) and all(f'{name}="{value}"' in line for name, value in labels.items()):
            return int(float(line.rpartition(" ")[2]))
    return 0


class TestObserveRequest:
    def test_route_template(self, unique: str) -> None:
        observe_request(service=unique, method="GET", route="/models/{name}", status=200, seconds=0.1)
        assert count(service=unique, method="GET", route="/models/{name}", status="200") == 1

    def test_paths_and_methods_of_callers_become_no_labels(self, unique: str) -> None:
        for method in ("BREW", "WHEN"):
            observe_request(service=unique, method=method, route=None, status=404, seconds=0.1)
        assert count(service=unique, method="other", route="unmatched", status="404") == 2
