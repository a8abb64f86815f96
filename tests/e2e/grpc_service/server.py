"""A gRPC server that takes bytes for what they are. Argument: the port. No generated code.

/echo.Echo/Unary, Count (server streams), Sum (client streams), Chat (both); what they do hangs on metadata.
"""

import sys
import time
from concurrent import futures

import grpc


def prepare(context):
    """Metadata goes back as it came, and says how the call ends."""
    asked = dict(context.invocation_metadata())
    echoed = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-")]
    context.send_initial_metadata([("initial", "yes"), *echoed])
    context.set_trailing_metadata([("trailing-bin", bytes(range(256))), *echoed])
    if "fail" in asked:
        context.set_trailing_metadata([("grpc-status-details-bin", b"\0details\xff")])
        code = next(code for code in grpc.StatusCode if code.name == asked["fail"])
        context.abort(code, "because: caf\xe9 %")
    return asked


def unary(request, context):
    asked = prepare(context)
    time.sleep(float(asked.get("sleep", 0)))
    return request[::-1]


def count(request, context):
    prepare(context)
    for i in range(int(request)):
        yield b"%d" % i


def total(requests, context):
    prepare(context)
    sizes = [len(request) for request in requests]
    return b"%d %d" % (len(sizes), sum(sizes))


def chat(requests, context):
    prepare(context)
    for request in requests:
        yield b"re: " + request


HANDLERS = grpc.method_handlers_generic_handler("echo.Echo", {
    "Unary": grpc.unary_unary_rpc_method_handler(unary), "Count": grpc.unary_stream_rpc_method_handler(count),
    "Sum": grpc.stream_unary_rpc_method_handler(total), "Chat": grpc.stream_stream_rpc_method_handler(chat)})
LARGEST = 8 << 20

if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(64), handlers=[HANDLERS], compression=grpc.Compression.Gzip,
                         options=[("grpc.max_receive_message_length", LARGEST)])
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    print("there", flush=True)
    server.wait_for_termination()
