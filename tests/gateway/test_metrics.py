"""Metrics have an address of their own; the public one does not lead there."""

import httpx

from tests.gateway.wire import bearer, push_blob
from tests.support.services import free_port, wait_until
from tests.support.stack import Stack


def test_metrics_of_a_running_registry() -> None:
    address = f"127.0.0.1:{free_port()}"
    with Stack() as stack:
        stack.start(database="sqlite", HARBOR_METRICS=address)
        data = b"x" * 1234
        with stack.client() as client:
            push_blob(client, "library/metrics", data, bearer(stack, "repository:library/metrics:pull,push"))
            for path in ("/metrics", "/_metrics", "/_metrics?comp=core"):
                assert client.get(path).status_code == 404
        with httpx.Client(base_url=f"http://{address}") as own:
            requests = own.get("/metrics?comp=core").text
            assert f"harbor_core_uploaded_bytes_total {float(len(data))}" in requests
            assert 'operation="authorize_upload"' in requests
            assert 'harbor_up{component="jobservice"} 1.0' in own.get("/metrics").text
            wait_until(lambda: "harbor_jobservice_info{" in own.get("/metrics?comp=jobservice").text, 30, "a worker")
            assert own.get("/api/v2.0/projects").status_code == 404
            assert own.get("/").json()["errors"][0]["code"] == "NOT_FOUND"
