#!/usr/bin/env python3
"""A model server that speaks HTTP/2 alone, as those of gRPC do: whether it is ready is found out.

Needs the release binary, openssl, curl, nghttpd and the packages of grpc_model/requirements.txt.
"""

import contextlib
import pathlib
import tempfile
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import harness as h
from authority import Authority
from harness import HOST, Agent, Process, case, equal, wait_until

AUTHORITY = Authority()
ADVICE = "upstream answers, but knows none of these paths to say whether its model is loaded; set model.ready_path"


class Calls(grpc.GenericRpcHandler):
    """Methods of bytes by name; the server answers UNIMPLEMENTED to the others."""

    def __init__(self, methods):
        self.methods = methods

    def service(self, details):
        method = self.methods.get(details.method)
        return method and grpc.unary_unary_rpc_method_handler(method)


class Model:
    """A server of gRPC. `methods`: functions of request and context. `healthy`: has the health service."""

    def __init__(self, methods=None, healthy=None, files=None):
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([Calls({"/model.Model/Predict": lambda sent, _: sent, **(methods or {})})])
        self.health = healthy
        if healthy:
            health_pb2_grpc.add_HealthServicer_to_server(healthy, self.server)
        if files is None:
            self.port = self.server.add_insecure_port(f"{HOST}:0")
        else:
            credentials = grpc.ssl_server_credentials([(files.key.read_bytes(), files.cert.read_bytes())])
            self.port = self.server.add_secure_port(f"{HOST}:0", credentials)
        self.server.start()

    def set(self, status):
        self.health.set("", status)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(0).wait()


def agent_for(model=None, ready=False, proxy=None, **settings):
    config = {"proxy": proxy or {}, "model": {"probe_interval": "200ms", "probe_timeout": "10s", **settings}}
    agent = Agent(upstream=model and model.port, config=config, ready=ready)
    wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
    return agent


def is_ready(agent):
    return agent.ask("GET", "/ready").status == 200


def advised(agent):
    return agent.wait_event(message=ADVICE)


def predict(agent, body):
    """What comes back of a call through the agent."""
    with grpc.insecure_channel(f"{HOST}:{agent.port}") as channel:
        return channel.unary_unary("/model.Model/Predict")(body, timeout=h.PATIENCE)


SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@case
def a_model_server_of_grpc_is_ready_as_its_health_service_says():
    with Model(healthy=health.HealthServicer()) as model, agent_for(model, ready=True) as agent:
        for status, ready in [(NOT_SERVING, False), (SERVING, True)]:
            model.set(status)
            wait_until(lambda: is_ready(agent) == ready, f"readiness to be {ready}")  # noqa: B023
            wait_until(lambda: agent.metrics().one("ml_model_loaded") == ready, "ml_model_loaded")  # noqa: B023
        equal(predict(agent, b"row"), b"row", "what comes back of a call")
        agent.settled(requests=1)


@case
def a_model_server_of_open_inference_is_ready_as_it_says():
    said = [b""]
    methods = {"/inference.GRPCInferenceService/ServerReady": lambda *_: said[0]}
    with Model(methods) as model, agent_for(model) as agent:
        for answer, ready in [(b"", False), (b"\x08\x01", True), (b"", False)]:
            said[0] = answer
            wait_until(lambda: is_ready(agent) == ready, f"readiness to be {ready}")  # noqa: B023
            wait_until(lambda: agent.metrics().one("ml_model_loaded") == ready, "ml_model_loaded")  # noqa: B023


@case
def one_that_knows_neither_is_not_taken_for_ready_until_a_method_is_named():
    with Model() as model:
        with agent_for(model) as agent:
            advised(agent)
            equal(is_ready(agent), False, "readiness")
            equal(predict(agent, b"row"), b"row", "what comes back of a call although it is not ready")
        with agent_for(model, ready=True, ready_path="/model.Model/Predict") as agent:
            equal(predict(agent, b"row"), b"row", "what comes back of a call")
        with agent_for(model, ready_path="/model.Model/Unknown") as agent:
            equal(predict(agent, b"row"), b"row", "what comes back of a call")
            equal(is_ready(agent), False, "readiness by a method that is not there")

    def refuses(_, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no model is named")

    def is_gone(_, context):
        context.abort(grpc.StatusCode.UNAVAILABLE, "loading")

    with Model({"/model.Model/Status": refuses}) as model, \
            agent_for(model, ready=True, ready_path="/model.Model/Status"):
        pass
    with Model({"/model.Model/Status": is_gone}) as model, agent_for(model, ready_path="/model.Model/Status") as agent:
        equal(predict(agent, b"row"), b"row", "what comes back of a call")
        equal(is_ready(agent), False, "readiness while the method is unavailable")


@case
def over_tls_it_is_ready_as_well():
    with Model(healthy=health.HealthServicer(), files=AUTHORITY.issue()) as model:
        files = AUTHORITY.issue()
        proxy = {"upstream": f"https://{HOST}:{model.port}", "upstream_tls": {"ca_file": str(AUTHORITY.cert)},
                 "tls": {"cert_file": str(files.cert), "key_file": str(files.key)}}
        with agent_for(ready=True, proxy=proxy) as agent:
            credentials = grpc.ssl_channel_credentials(AUTHORITY.cert.read_bytes())
            with grpc.secure_channel(f"{HOST}:{agent.port}", credentials) as channel:
                said = channel.unary_unary("/model.Model/Predict")(b"row", timeout=h.PATIENCE)
            equal(said, b"row", "what comes back of a call over TLS at both ends")
            agent.settled(requests=1)


@contextlib.contextmanager
def nghttpd(files=None):
    """A server of pages that speaks HTTP/2 alone."""
    with tempfile.TemporaryDirectory() as folder:
        for page in ["ping", "page"]:
            (pathlib.Path(folder) / page).write_text(page)
        port = h.free_port()
        keys = [files.key, files.cert] if files else []
        options = [f"--htdocs={folder}", f"--address={HOST}"] + ([] if files else ["--no-tls"])
        with Process(["nghttpd", *options, port, *keys], "nghttpd") as process:
            wait_until(lambda: port in h.listening_ports(process.pid), "nghttpd")
            process.port = port
            yield process


@case
def a_client_of_http1_is_answered_by_an_upstream_of_http2_alone_from_its_first_request_on():
    for files in [None, AUTHORITY.issue()]:
        with nghttpd(files) as model:
            scheme = "https" if files else "http"
            tls = {"upstream_tls": {"ca_file": str(AUTHORITY.cert)}} if files else {}
            with agent_for(ready=True, proxy={"upstream": f"{scheme}://{HOST}:{model.port}", **tls}) as agent:
                for _ in range(5):
                    answer = agent.send("GET", "/page")
                    equal((answer.status, answer.body), (200, b"page"), f"answer over {scheme}")
                metrics = agent.settled(requests=5)
                equal(metrics.sum("sidelight_request_failures_total"), 0, "requests that failed")


@case
def a_server_that_comes_back_in_another_version_is_asked_in_that_one():
    port = h.free_port()
    with contextlib.ExitStack() as stack:
        agent = stack.enter_context(Agent(upstream=port, config={"model": {"probe_interval": "200ms"}}, ready=False))
        server = grpc.server(futures.ThreadPoolExecutor(2))
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
        server.add_insecure_port(f"{HOST}:{port}")
        server.start()
        agent.wait_ready()
        server.stop(0).wait()
        wait_until(lambda: not is_ready(agent), "not to be ready without a server")
        stack.enter_context(h.PythonServer(h.E2E / "upstream.py", port=port))
        agent.wait_ready()
        equal(agent.send("GET", "/health").status, 200, "status of who speaks HTTP/1")


if __name__ == "__main__":
    h.main("gRPC readiness")
