"""What clients of model servers send, and what the answers say: read here, so that metrics can be compared with it.

Needs numpy, which every environment of a real server has.
"""

import gzip
import json
import struct

import numpy

import harness as h

ROWS = [[row[name] for name in h.FEATURES] for row in h.rows()]
# one of each kind
THREE = [ROWS[0], ROWS[50], ROWS[100]]
DIABETES = [[0.038, 0.051, 0.062, 0.022, -0.044, -0.035, -0.043, -0.003, 0.020, -0.018],
            [-0.002, -0.045, -0.051, -0.026, -0.008, -0.019, 0.074, -0.039, -0.068, -0.092]]
NUMBERS = {"FP64": "<f8", "FP32": "<f4", "INT64": "<i8", "INT32": "<i4", "BOOL": "?"}


class Request:
    """One request of HTTP. `read`: what an answer to it says, as `expect` of the recordings would; `None`: nothing."""

    def __init__(self, path, body=None, read=None, method="POST", **headers):
        self.method, self.path, self.body, self.read = method, path, body, read
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __str__(self):
        return f"{self.method} {self.path} {str(self.body)[:60]}"


def get(path):
    return Request(path, method="GET")


def content(answer):
    """The body without its compression."""
    return gzip.decompress(answer.body) if answer.header("content-encoding") == "gzip" else answer.body


# -- what answers say -----------------------------------------------------------------------------

def said(model, version, rows, confidences=None):
    """`rows`: one prediction each: a class (a word or a whole number), a value, or all probabilities."""
    identity = {"model": model, "model_version": version or None}
    if all(isinstance(row, (list, numpy.ndarray)) for row in rows):
        confidences, rows = [float(max(row)) for row in rows], [int(numpy.argmax(row)) for row in rows]
    if isinstance(rows[0], float):
        return {**identity, "kind": "regress", "value": rows}
    return {**identity, "kind": "classify", "predicted_class": rows, "confidence": confidences}


def of_predictions(model=None, version=None):
    """V1 and MLflow: `{"predictions": [..]}`; neither says which model it is."""
    return lambda answer: said(model, version, json.loads(content(answer))["predictions"])


def of_outputs(model, version, outputs):
    """Open Inference, of any wire. `outputs`: arrays, one row an item."""
    rows, confidences = None, None
    for output in outputs:
        flat = output.reshape(len(output), -1)
        if flat.shape[1] > 1 and flat.dtype.kind == "f":
            confidences = flat.max(axis=1).tolist()
            rows = flat.argmax(axis=1).tolist() if rows is None else rows
        else:
            rows = [value.decode() if isinstance(value, bytes) else value for value in flat[:, 0].tolist()]
    return said(model, version, rows, confidences)


def of_v2(answer):
    """Open Inference over REST, the binary extension with it."""
    body = content(answer)
    length = int(answer.header("inference-header-content-length") or len(body))
    head, binary = json.loads(body[:length]), body[length:]
    outputs = []
    for output in head["outputs"]:
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            array = numpy.array(output["data"], dtype=NUMBERS.get(output["datatype"], object))
        else:
            array, binary = numpy.frombuffer(binary[:size], NUMBERS[output["datatype"]]), binary[size:]
        outputs.append(array.reshape(output["shape"]))
    return of_outputs(head["model_name"], head.get("model_version"), outputs)


def of_grpc(message):
    """Open Inference over gRPC: typed or raw contents."""
    outputs = []
    for number, output in enumerate(message.outputs):
        if message.raw_output_contents:
            array = numpy.frombuffer(message.raw_output_contents[number], NUMBERS[output.datatype])
        else:
            values = next((list(values) for field, values in output.contents.ListFields()), [])
            array = numpy.array(values, dtype=NUMBERS.get(output.datatype, object))
        outputs.append(array.reshape(list(output.shape)))
    return of_outputs(message.model_name, message.model_version, outputs)


# -- Open Inference -------------------------------------------------------------------------------

def tensor(rows, name="input-0", datatype="FP64", flat=False):
    values = [value for row in rows for value in row] if flat else rows
    return {"name": name, "shape": [len(rows), len(rows[0])], "datatype": datatype, "data": values}


def columns(rows, width=()):
    """One input for each column. `width`: what stands behind the number of rows in a shape."""
    return [{"name": name, "shape": [len(rows), *width], "datatype": "FP64", "data": [row[i] for row in rows]}
            for i, name in enumerate(h.FEATURES)]


def words(sentences):
    return {"name": "text", "shape": [len(sentences)], "datatype": "BYTES", "parameters": {"content_type": "str"},
            "data": sentences}


def infer(model, *inputs, version=None, headers=None, read=of_v2, **more):
    path = f"/v2/models/{model}/versions/{version}/infer" if version else f"/v2/models/{model}/infer"
    return Request(path, {"inputs": list(inputs), **more}, read, **(headers or {}))


def infer_binary(model, rows, datatype="FP64", **parameters):
    """The same with the numbers behind the JSON."""
    numbers = numpy.array(rows, NUMBERS[datatype]).tobytes()
    binary = {**tensor(rows, datatype=datatype), "parameters": {"binary_data_size": len(numbers)}}
    del binary["data"]
    head = json.dumps({"id": "binary", "inputs": [binary], "parameters": parameters}).encode()
    return Request(f"/v2/models/{model}/infer", head + numbers, of_v2, Content_Type="application/octet-stream",
                   Inference_Header_Content_Length=str(len(head)))


# -- gRPC -----------------------------------------------------------------------------------------

class Call:
    """One call. `messages`: one, or a list for a stream; `read`: what an answer's message says."""

    def __init__(self, method, messages, read=None, compression=None, **metadata):
        self.method, self.messages, self.read, self.compression = method, messages, read, compression
        self.metadata = list(metadata.items())

    def __str__(self):
        return f"{self.method} {str(self.messages)[:60]!r}"


def model_infer(messages, model, rows, name="predict", raw=False, **more):
    """A request of the server's own messages. `more`: further fields."""
    request = messages.ModelInferRequest(model_name=model, **more)
    request.inputs.add(name=name, datatype="FP64", shape=[len(rows), len(rows[0])])
    values = [value for row in rows for value in row]
    if raw:
        request.raw_input_contents.append(struct.pack(f"<{len(values)}d", *values))
    else:
        request.inputs[0].contents.fp64_contents.extend(values)
    return request
