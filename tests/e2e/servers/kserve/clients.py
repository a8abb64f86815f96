"""What clients send to KServe."""

import functools

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

import harness as h
from spoken import (DIABETES, ROWS, THREE, Call, Request, columns, get, infer, infer_binary, model_infer, of_grpc,
                    of_predictions, tensor)

MODELS = ("iris", "iris-proba", "iris-named", "diabetes")
PANDAS = {"content_type": "pd"}


def predict(model, instances, key="instances"):
    return Request(f"/v1/models/{model}:predict", {key: instances}, of_predictions(model))


def named(rows):
    """One object whose columns are lists."""
    return {name: [row[i] for row in rows] for i, name in enumerate(h.FEATURES)}


def rest():
    requests = [predict("iris", [row]) for row in ROWS]
    requests += [infer("iris-proba", tensor([row]), id=str(i)) for i, row in enumerate(ROWS)]
    requests += [
        predict("iris", ROWS), predict("iris", THREE, "inputs"), predict("iris-proba", ROWS),
        predict("iris-named", [named([row]) for row in THREE]), predict("iris-named", [named(THREE)]),
        predict("diabetes", DIABETES),
        infer("iris", tensor(ROWS)), infer("iris", tensor(THREE, datatype="FP32", flat=True), id="three"),
        infer("iris", *columns(THREE), parameters=PANDAS), infer("iris-proba", tensor(ROWS, flat=True)),
        infer("diabetes", tensor(DIABETES)),
        infer_binary("iris", THREE), infer_binary("iris", ROWS, "FP32"),
        infer_binary("iris", THREE, binary_data_output=True), infer_binary("iris-proba", ROWS, binary_data_output=True),
        get("/"), get("/v1/models"), get("/v1/models/iris"), get("/v2"), get("/v2/health/live"),
        get("/v2/health/ready"), get("/v2/models"), get("/v2/models/iris"), get("/v2/models/iris/ready"),
    ]
    mistakes = [
        predict("nobody", THREE), predict("iris", [[1.0, 2.0]]), predict("iris", "abc"), predict("iris-named", [
            dict(zip(h.FEATURES, ROWS[0]))]),
        Request("/v1/models/iris:predict", '{"instances":[', Content_Type="application/json"),
        infer("nobody", tensor(THREE)), infer("iris", tensor([[1.0, 2.0]])),
        # KServe cannot write words into a tensor
        infer("iris-named", *columns(THREE), parameters=PANDAS),
        Request("/v2/models/iris/infer", {"instances": THREE}), get("/v2/models/nobody"), get("/nowhere"),
    ]
    together = [predict("iris-proba", [row]) for row in ROWS[::6]] + [
        infer("iris", tensor([row]), id=str(i)) for i, row in enumerate(ROWS[::6])]
    return requests, mistakes, together


def calls():
    def one(*arguments, compression=None, **more):
        message = model_infer(messages, *arguments, name="input-0", **more)
        return Call("ModelInfer", message, lambda got: of_grpc(got[0]), compression)

    requests = [one("iris-proba", [row], id=str(i), raw=i % 2 == 0) for i, row in enumerate(ROWS)]
    requests += [
        one("iris", THREE), one("iris", THREE, raw=True, id="raw"),
        one("iris", ROWS, compression=grpc.Compression.Gzip), one("iris", ROWS, raw=True),
        one("diabetes", DIABETES, compression=grpc.Compression.Deflate),
        Call("ServerLive", messages.ServerLiveRequest()), Call("ServerReady", messages.ServerReadyRequest()),
        Call("ModelReady", messages.ModelReadyRequest(name="iris")),
        Call("ModelMetadata", messages.ModelMetadataRequest(name="iris")),
    ]
    mistakes = [
        one("nobody", THREE), one("iris", [[1.0, 2.0]]),
        Call("ModelInfer", messages.ModelInferRequest(model_name="iris")),
        Call("ModelMetadata", messages.ModelMetadataRequest(name="nobody")),
    ]
    return requests, mistakes, [one("iris-proba", [row], id=str(i)) for i, row in enumerate(ROWS[::5])]


def subjects(_, start, ask_grpc):
    port, grpc_port = h.free_port(), h.free_port()
    server = start(grpc_port, port)
    server.wait_for(port, "/v2/models/diabetes/ready")
    for name, own_port, parts, ask in (("KServe", port, rest(), None), (
            "KServe's gRPC", grpc_port, calls(), functools.partial(ask_grpc, GRPCInferenceServiceStub))):
        requests, mistakes, together = parts
        yield {"name": name, "port": own_port, "requests": requests, "mistakes": mistakes, "together": together,
               "ask": ask, "models": MODELS if ask is None else ("iris", "iris-proba", "diabetes")}
