"""What clients send to MLServer."""

import functools

import grpc
from mlserver.grpc import dataplane_pb2 as messages
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

import harness as h
from spoken import (DIABETES, ROWS, THREE, Call, Request, columns, get, infer, model_infer, of_grpc, tensor, words)

BOTH = [{"name": "predict"}, {"name": "predict_proba"}]
MODELS = ("iris", "iris-proba", "iris-named", "sentiment", "diabetes")
PANDAS = {"content_type": "pd"}


def rest():
    requests = [infer("iris", tensor([row]), id=str(i)) for i, row in enumerate(ROWS)]
    requests += [
        infer("iris", tensor(THREE)),
        infer("iris", tensor(THREE, flat=True), headers={"X_Request_ID": "mine"}),
        infer("iris", tensor(THREE, datatype="FP32"), id="three", outputs=BOTH),
        infer("iris", tensor(THREE), version="v1.2.0"),
        infer("iris", tensor(ROWS), headers={"Accept_Encoding": "gzip"}),
        infer("iris", tensor(ROWS), outputs=BOTH[1:]),
        infer("iris-proba", tensor(THREE)),
        infer("iris-named", *columns(THREE, (1,)), parameters=PANDAS),
        infer("iris-named", *columns(ROWS), parameters=PANDAS, outputs=BOTH),
        infer("sentiment", words(["a great story", "boring, and awful"])),
        infer("sentiment", words(["loved it", "hated it", "a film"]), outputs=BOTH),
        infer("diabetes", tensor(DIABETES)),
        get("/v2"), get("/v2/health/live"), get("/v2/health/ready"), get("/v2/models/iris"),
        get("/v2/models/iris/ready"), get("/v2/models/iris/versions/v1.2.0/ready"),
        Request("/v2/repository/index", {}),
    ]
    mistakes = [
        infer("nobody", tensor(THREE)), infer("iris", tensor([[1.0, 2.0]]), id="bad"),
        infer("iris", tensor(THREE), version="v9"), infer("iris", tensor(THREE), outputs=[{"name": "absent"}]),
        Request("/v2/models/iris/infer", {"instances": THREE}),
        Request("/v2/models/iris/infer", '{"inputs":[', Content_Type="application/json"),
        get("/v2/models/iris/infer"), get("/v2/models/nobody"),
    ]
    together = [infer("iris-batched", tensor([row]), id=str(i), outputs=BOTH) for i, row in enumerate(ROWS[::5])]
    return requests, mistakes, together


def calls():
    def one(*arguments, compression=None, **more):
        return Call("ModelInfer", model_infer(messages, *arguments, **more), lambda got: of_grpc(got[0]), compression)

    def stream(model, parts, **more):
        sent = [model_infer(messages, model, rows, id="stream", **more) for rows in parts]
        return Call("ModelStreamInfer", sent, lambda got: [of_grpc(message) for message in got])

    proba = [messages.ModelInferRequest.InferRequestedOutputTensor(name=output["name"]) for output in BOTH]
    requests = [one("iris", [row], id=str(i), raw=i % 2 == 0) for i, row in enumerate(ROWS)]
    requests += [
        one("iris", THREE), one("iris", THREE, raw=True, id="raw", model_version="v1.2.0"),
        one("iris", ROWS, compression=grpc.Compression.Gzip), one("iris", ROWS, raw=True, outputs=proba),
        one("iris-proba", THREE, compression=grpc.Compression.Deflate), one("diabetes", DIABETES),
        stream("iris", [THREE]), stream("iris-stream", [[row] for row in ROWS]),
        stream("iris-stream", [ROWS, THREE, ROWS], raw=True, outputs=proba),
        Call("ServerLive", messages.ServerLiveRequest()), Call("ServerReady", messages.ServerReadyRequest()),
        Call("ModelReady", messages.ModelReadyRequest(name="iris")),
        Call("ModelMetadata", messages.ModelMetadataRequest(name="iris")),
    ]
    mistakes = [
        one("nobody", THREE), one("iris", [[1.0, 2.0]]), one("iris", THREE, model_version="v9"),
        Call("ModelInfer", messages.ModelInferRequest(model_name="iris")),
        Call("ModelMetadata", messages.ModelMetadataRequest(name="nobody")), stream("nobody", [THREE]),
    ]
    together = [one("iris-batched", [row], id=str(i), outputs=proba) for i, row in enumerate(ROWS[::5])]
    return requests, mistakes, together


def subjects(folder, start, ask_grpc):
    port, grpc_port, metrics_port = h.free_port(), h.free_port(), h.free_port()
    server = start(folder, grpc_port, metrics_port, port)
    for model in (*MODELS, "iris-batched", "iris-stream"):
        server.wait_for(port, f"/v2/models/{model}/ready")
    for name, own_port, parts, ask in (("MLServer", port, rest(), None), (
            "MLServer's gRPC", grpc_port, calls(), functools.partial(ask_grpc, GRPCInferenceServiceStub))):
        requests, mistakes, together = parts
        yield {"name": name, "port": own_port, "requests": requests, "mistakes": mistakes, "together": together,
               "ask": ask, "models": MODELS if ask is None else ("iris", "iris-proba", "diabetes")}
