#!/usr/bin/env python3
"""A real collector, rotel, takes what the agent exports and passes it on to this suite, which reads it.

Needs a binary with the feature otlp (SIDELIGHT_BINARY) and the environment of tests/e2e/otlp. What arrives is read
by the protocol's own messages: nothing here knows how the agent writes them.
"""

import collections
import gzip
import json
import math
import pathlib
import re
import shutil
import ssl
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import rotel
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

import harness as h
from authority import Authority
from harness import Agent, Process, PythonServer, case, check, close, equal, request, wait_until

ROWS = h.rows()
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
REQUESTS = {
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
}


class Behind:
    """Where the collector passes everything on to, or the agent itself. `files`: speaks TLS with this certificate."""

    def __init__(self, files=None):
        self.port = h.free_port()
        self.got = collections.defaultdict(list)
        self.tokens = set()
        got, tokens = self.got, self.tokens

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                tokens.add(self.headers.get("Authorization"))
                got[self.path].append(REQUESTS[self.path].FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = ThreadingHTTPServer((h.HOST, self.port), Handler)
        if files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(files.cert, files.key)
            # the handshake is the handler's: one that fails must not end the listener
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def snapshots(self):
        """Metrics by name, for each time that some were exported; the last one last."""
        by_time = collections.defaultdict(dict)
        for message in list(self.got["/v1/metrics"]):
            for metric in (m for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics):
                kind = metric.WhichOneof("data")
                points = getattr(metric, kind).data_points
                if points:
                    by_time[points[0].time_unix_nano][metric.name] = metric
        return [by_time[at] for at in sorted(by_time)]

    def logs(self):
        return [(resource.resource, record) for message in list(self.got["/v1/logs"])
                for resource in message.resource_logs for scope in resource.scope_logs for record in scope.log_records]

    def spans(self):
        return [(resource.resource, span) for message in list(self.got["/v1/traces"])
                for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]


class Collector(Process):
    """rotel between the agent and `behind`."""

    def __init__(self, behind, port=None):
        self.port = port or h.free_port()
        program = pathlib.Path(rotel.__file__).parent / "rotel-agent"
        self.folder = tempfile.mkdtemp(prefix="sidelight-e2e-")
        super().__init__(
            [program, "start", "--otlp-http-endpoint", f"{h.HOST}:{self.port}",
             "--otlp-grpc-endpoint", f"{h.HOST}:{h.free_port()}", "--exporter", "otlp",
             "--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint", f"http://{h.HOST}:{behind.port}",
             "--pid-file", f"{self.folder}/rotel.pid", "--environment", "test"],
            "rotel", env=h.clean_environment())

        def takes():
            check(self.is_alive(), lambda: f"rotel has ended\n{self.tail()}")
            headers = {"Content-Type": "application/x-protobuf"}
            return request(self.port, "POST", "/v1/traces", b"", headers, timeout=5).status == 200
        wait_until(takes, "rotel to listen")

    def stop(self, patience=20.0):
        super().stop(patience)
        shutil.rmtree(self.folder, ignore_errors=True)


def config(port, **more):
    otlp = {"endpoint": f"http://{h.HOST}:{port}", "interval": "1s", "resource": {"deployment.environment.name": "e2e"}}
    return {"otlp": {**otlp, **more}, "log": {"features": "all"}}


def attributes(of):
    """Attributes as Python has them."""
    return {pair.key: plain(pair.value) for pair in of.attributes}


def plain(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


# they go on when nothing is sent
MOVING = re.compile(r"process_|sidelight_otlp_|sidelight_log_lines_total")


def exported_series(snapshot):
    """Series as a scrape has them: (name, labels) to value, buckets with those below."""
    found = {}

    def put(name, labels, value, **more):
        found[name, tuple(sorted({**labels, **more}.items()))] = value

    for name, metric in snapshot.items():
        kind = metric.WhichOneof("data")
        data = getattr(metric, kind)
        if kind != "gauge":
            equal(data.aggregation_temporality, AGGREGATION_TEMPORALITY_CUMULATIVE, f"temporality of {name}")
        if kind == "sum":
            check(data.is_monotonic, f"{name} may fall")
        for point in data.data_points:
            labels = attributes(point)
            if kind != "histogram":
                put(name, labels, point.as_double)
                continue
            total = 0
            for edge, count in zip([*point.explicit_bounds, math.inf], point.bucket_counts):
                total += count
                put(f"{name}_bucket", labels, total, le=edge)
            equal(total, point.count, f"count of {name}")
            put(f"{name}_sum", labels, point.sum)
            put(f"{name}_count", labels, point.count)
    return found


def scraped_series(metrics):
    found = {}
    for name, samples in metrics.samples.items():
        for labels, value in samples:
            labels = {**labels, "le": float(labels["le"])} if name.endswith("_bucket") else labels
            found[name, tuple(sorted(labels.items()))] = value
    return found


def still(series):
    return {key: value for key, value in series.items() if not MOVING.match(key[0])}


def same_metrics(agent, behind):
    """The last snapshot and a scrape say the same; a scrape before and one after it did not move."""
    snapshots = behind.snapshots()
    check(snapshots, "no metrics have come")
    exported = still(exported_series(snapshots[-1]))
    scraped = still(scraped_series(agent.metrics()))
    differing = {key: (exported.get(key), scraped.get(key)) for key in exported.keys() | scraped.keys()
                 if exported.get(key) != scraped.get(key)}
    check(not differing, lambda: f"{len(differing)} series differ: {list(differing.items())[:5]}")
    return exported


@case
def everything_arrives_through_a_collector_and_says_what_metrics_and_log_say():
    with Behind() as behind, Collector(behind) as collector, PythonServer(h.E2E / "upstream.py") as upstream, \
            Agent(upstream=upstream.port, config=config(collector.port)) as agent:
        tally = h.Tally()
        for i, row in enumerate(ROWS[:40]):
            headers = {"X-Request-ID": f"request-{i}", "traceparent": f"00-{TRACE}-{PARENT}-{i % 2:02}"}
            tally.add(agent.send("POST", "/predict", row, headers))
        for code in (200, 404, 503):
            agent.send("GET", f"/status?code={code}", headers={"X-Request-ID": f"status-{code}"})
        agent.settled(requests=43)

        series = wait_until(lambda: same_metrics(agent, behind), "the metrics of a scrape")
        check(len(series) > 100, f"{len(series)} series")
        by_class = {dict(labels)["predicted_class"]: value for (name, labels), value in series.items()
                    if name == "ml_model_predictions_total" and value}
        equal(by_class, dict(tally.classes), "predictions by class")
        starts = {point.start_time_unix_nano for metric in behind.snapshots()[-1].values()
                  if metric.WhichOneof("data") == "sum" for point in metric.sum.data_points}
        check(all(0 < start < time.time() * 1e9 for start in starts), f"starts of sums {starts}")

        # a span for each exchange that is sampled, or has no traceparent
        wait_until(lambda: len(behind.spans()) >= 23, "23 spans")
        wait_until(lambda: len(behind.logs()) >= 43, "43 lines")
        time.sleep(2)
        spans, logs = behind.spans(), behind.logs()
        equal((len(spans), len(logs)), (23, 43), "spans and lines")
        by_id = {attributes(span)["sidelight.request_id"]: span for _, span in spans}
        equal(set(by_id), {f"request-{i}" for i in range(1, 40, 2)} | {"status-200", "status-404", "status-503"},
              "request ids of spans")
        resource = attributes(spans[0][0])
        equal(resource["service.name"], "sidelight", "service.name")
        equal(resource["deployment.environment.name"], "e2e", "an attribute of the configuration")
        check(resource["service.version"] and resource["service.instance.id"], f"resource {resource}")
        for i in range(1, 40, 2):
            span = by_id[f"request-{i}"]
            equal((span.trace_id.hex(), span.parent_span_id.hex()), (TRACE, PARENT), "trace and parent")
            equal((span.name, span.kind), ("POST /predict", Span.SPAN_KIND_SERVER), "name and kind")
            check(span.start_time_unix_nano < span.end_time_unix_nano, "a span without time")
            said = attributes(span)
            equal((said["http.request.method"], said["http.route"], said["http.response.status_code"],
                   said["sidelight.model_version"], said["sidelight.items"]), ("POST", "/predict", 200, "2.1.0", 1),
                  "attributes of a prediction")
            equal(span.status.code, Status.STATUS_CODE_UNSET, "status of a span that is well")
        roots = [by_id[f"status-{code}"] for code in (200, 404, 503)]
        check(all(not span.parent_span_id and span.trace_id.hex() != TRACE for span in roots), "roots have parents")
        equal(len({span.trace_id for span in roots}), 3, "traces of requests without traceparent")
        equal([span.status.code for span in roots],
              [Status.STATUS_CODE_UNSET, Status.STATUS_CODE_UNSET, Status.STATUS_CODE_ERROR], "status codes")
        equal(attributes(roots[2])["error.type"], "503", "error.type")

        # each line of stdout, field by field
        written = {event["request_id"]: event for event in agent.events() if "request_id" in event}
        equal(len(written), 43, "lines of stdout")
        for _, record in logs:
            said = attributes(record)
            event = dict(written.pop(said["request_id"]))
            equal(record.severity_text, event.pop("level"), "level")
            equal(plain(record.body), event.pop("message"), "message")
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.time_unix_nano // 10**9))
            equal(f"{at}.{record.time_unix_nano % 10**9 // 1000:06}Z", event.pop("timestamp"), "time")
            equal(json.loads(json.dumps(said)), event, "fields")
            span = by_id.get(said["request_id"])
            expected = (span.trace_id.hex(), span.span_id.hex()) if span else (TRACE, PARENT)
            equal((record.trace_id.hex(), record.span_id.hex()), expected, "the span of a line")
        equal(written, {}, "lines that did not come")

        metrics = agent.metrics()
        for signal, count in (("traces", 23), ("logs", 43)):
            equal(metrics.by("sidelight_otlp_exported_total", "outcome", signal=signal), {"exported": count}, signal)


@case
def the_model_server_gets_traceparent_as_it_was_sent():
    sent = [f"00-{TRACE}-{PARENT}-01", "nothing", f"cc-{TRACE}-{PARENT}-01-more"]
    with Behind() as behind, Collector(behind) as collector, PythonServer(h.E2E / "upstream.py") as upstream, \
            Agent(upstream=upstream.port, config=config(collector.port)) as agent:
        for value in sent:
            echo = agent.send("GET", "/echo", headers={"traceparent": value}).json()
            got = [field for name, field in echo["fields"] if name.lower() == "traceparent"]
            equal(got, [value], "traceparent")
        echo = agent.send("GET", "/echo").json()
        check(all(name.lower() != "traceparent" for name, _ in echo["fields"]), "a traceparent that nobody sent")
        wait_until(lambda: len(behind.spans()) == 4, "4 spans")
        parents = sorted(span.parent_span_id.hex() for _, span in behind.spans())
        equal(parents, ["", "", PARENT, PARENT], "parents")


@case
def a_collector_that_was_away_gets_what_waited_and_requests_did_not_notice():
    port = h.free_port()
    with Behind() as behind, PythonServer(h.E2E / "upstream.py") as upstream, \
            Agent(upstream=upstream.port, config=config(port)) as agent:
        for i in range(20):
            equal(agent.send("POST", "/predict", ROWS[i], {"X-Request-ID": f"away-{i}"}).status, 200, "status")
        for signal in ("metrics", "logs", "traces"):
            agent.wait_event(message="the collector takes nothing, it is tried again", signal=signal)
        with Collector(behind, port):
            wait_until(lambda: len(behind.spans()) == 20 and len(behind.logs()) == 20, "what waited")
            wait_until(lambda: same_metrics(agent, behind), "the metrics of a scrape")
            for signal in ("metrics", "logs", "traces"):
                agent.wait_event(message="the collector takes all again", signal=signal)
            # once for each signal, however often it was tried
            told = collections.Counter(event["signal"] for event in agent.events()
                                       if event["message"].startswith("the collector takes nothing"))
            equal(dict(told), {"metrics": 1, "logs": 1, "traces": 1}, "times that it was told")
            metrics = agent.metrics()
            check(metrics.sum("sidelight_otlp_retries_total") > 0, "nothing was tried again")
            for signal in ("logs", "traces"):
                equal(metrics.by("sidelight_otlp_exported_total", "outcome", signal=signal), {"exported": 20}, signal)


@case
def a_collector_over_tls_is_believed_by_its_authority_and_secrets_are_read_again():
    authority, other = Authority(), Authority()
    with Behind(authority.issue(h.HOST)) as behind, PythonServer(h.E2E / "upstream.py") as upstream:
        settings = config(behind.port, endpoint=f"https://{h.HOST}:{behind.port}", ca_file=str(other.cert))
        with Agent(upstream=upstream.port, config=settings) as agent:
            token = agent.folder / "token"
            agent.send("POST", "/predict", ROWS[0])
            told = agent.wait_event(message="the collector takes nothing, it is tried again", signal="traces")
            check("cannot connect" in told["reason"], f"reason {told['reason']}")
            check(not behind.got, "something came from whoever does not know the certificate")
            # another authority and a secret, while it runs
            token.write_text("hunter2\n")
            settings["otlp"].update(ca_file=str(authority.cert),
                                    headers={"Authorization": {"file": str(token), "prefix": "Bearer "}})
            agent.write_config(settings)
            wait_until(lambda: len(behind.spans()) == 1 and len(behind.logs()) == 1, "what waited")
            wait_until(lambda: "Bearer hunter2" in behind.tokens, "the secret")
            token.write_text("hunter3\n")
            wait_until(lambda: "Bearer hunter3" in behind.tokens, "the renewed secret")
            check("hunter" not in "\n".join(agent.lines + agent.errors), "a secret was logged")


@case
def what_was_seen_last_arrives_when_the_agent_leaves():
    with Behind() as behind, Collector(behind) as collector, PythonServer(h.E2E / "upstream.py") as upstream:
        # nothing is due for an hour
        with Agent(upstream=upstream.port, config=config(collector.port, interval="1h")) as agent:
            for i in range(5):
                agent.send("POST", "/predict", ROWS[i])
            agent.stop()
            equal(agent.wait(), 0, "exit status")
        wait_until(lambda: len(behind.spans()) == 5 and len(behind.logs()) == 5, "spans and lines")
        wait_until(behind.snapshots, "metrics")
        series = exported_series(behind.snapshots()[-1])
        total = sum(value for (name, _), value in series.items() if name == "ml_api_requests_total")
        close(total, 5, "requests in the last export")


if __name__ == "__main__":
    h.main("otlp")
