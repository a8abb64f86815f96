#!/usr/bin/env python3
"""TLS at both ends of a live agent: who is let in, who is believed, what passes, what a new certificate changes.

Needs the release binary, curl, openssl, nghttpx and nghttpd.
"""

import base64
import contextlib
import hashlib
import http.client
import os
import select
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import harness as h
import upstream
from authority import Authority
from harness import HOST, Agent, Process, case, check, equal, wait_until

ROWS = h.rows()
MIB = 1 << 20
FAILURES = "sidelight_tls_handshake_failures_total"
# longer than a client's connection keeps what hyper holds for it
PARKS = 0.3


# -- the model server's end ----------------------------------------------------------------------

class Handler(upstream.Handler):
    """Also: /mirror gives the body back, /who the name in the client's certificate, /socket is a tunnel."""

    def handle_any(self):
        if self.path == "/mirror":
            self.send(self.body())
        elif self.path == "/who":
            subject = self.connection.getpeercert()["subject"]
            self.reply({"who": dict(pair for part in subject for pair in part)["commonName"]})
        elif self.path == "/socket":
            self.tunnel()
        else:
            super().handle_any()

    do_GET = do_POST = handle_any

    def tunnel(self):
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        while data := self.rfile.read1(65536):
            self.wfile.write(data)
        self.close_connection = True


class Model(upstream.Server):
    """A model server in a thread; over TLS where it has a context."""

    def __init__(self, context=None):
        self.port, self.context = h.free_port(), context
        super().__init__((HOST, self.port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        if self.context is None:
            return super().finish_request(request, client_address)
        # here, in the connection's own thread, a handshake holds up nobody else
        with contextlib.suppress(OSError):
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def serving(files, clients_of=None):
    """What a model server of Python shakes hands with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    if clients_of:
        context.load_verify_locations(clients_of.cert)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


# -- the client's end ----------------------------------------------------------------------------

def believing(authority, version=None, alpn=None, own=None):
    """What a client shakes hands with. Without `alpn` it offers no protocol."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.cert)
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    if own:
        context.load_cert_chain(own.cert, own.key)
    return context


class Https(h.Client):
    """One connection over TLS."""

    def __init__(self, port, context):
        self.connection = http.client.HTTPSConnection(HOST, port, timeout=h.PATIENCE, context=context)


def ask(port, context, method, path, body=None):
    with Https(port, context) as client:
        return client.request(method, path, body)


def shake(port, context, **options):
    """A connection after its handshake."""
    stream = socket.create_connection((HOST, port), timeout=h.PATIENCE)
    for option, value in options.items():
        stream.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    return context.wrap_socket(stream, server_hostname=HOST)


def refused(port, context):
    """Whether there is no answer; in TLS 1.3 a client learns only behind its handshake."""
    try:
        ask(port, context, "GET", "/health")
    except (OSError, http.client.HTTPException):
        return True
    return False


def curl(authority, port, path, *options):
    """Version of HTTP, status and body, by curl."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--cacert", authority.cert,
               "--write-out", "%{stderr}%{http_version} %{http_code}", *options, f"https://{HOST}:{port}{path}"]
    done = subprocess.run(command, capture_output=True, timeout=h.PATIENCE * 2)
    check(done.returncode == 0, lambda: f"curl {options}: {done.returncode} {done.stderr.decode()}")
    version, status = done.stderr.decode().rpartition("\n")[2].split()
    return version, int(status), done.stdout


def read_all(stream):
    """What comes until the other side ends or resets, which it must."""
    said = b""
    try:
        while data := stream.recv(65536):
            said += data
    except TimeoutError:
        raise h.Failed("the other side neither speaks nor leaves") from None
    except OSError:
        pass
    return said


def listening(files, **more):
    return {"cert_file": str(files.cert), "key_file": str(files.key), **more}


def agent_with(proxy, upstream=None, **options):
    # these look at what passes, not at what is read of it
    return Agent(upstream=upstream, config={"proxy": proxy, "model": {"probe_interval": "200ms"}}, **options)


AUTHORITY = Authority()
OTHER = Authority()


# -- clients -------------------------------------------------------------------------------------

@case
def clients_of_every_version_are_answered():
    with Model() as model, agent_with({"tls": listening(AUTHORITY.issue())}, model.port) as agent:
        expected = h.request(model.port, "POST", "/predict", ROWS[0]).json()
        body = ["--json", str(ROWS[0]).replace("'", '"')]
        for option, version in [("--http1.1", "1.1"), ("--http2", "2"), ("--http1.0", "1")]:
            came, status, said = curl(AUTHORITY, agent.port, "/predict", option, *body)
            equal((came, status, h.json.loads(said)), (version, 200, expected), f"answer to curl {option}")
        for alpn in [None, ["http/1.0"], ["http/1.1"], ["unknown", "http/1.1"]]:
            answer = ask(agent.port, believing(AUTHORITY, alpn=alpn), "POST", "/predict", ROWS[0])
            equal(answer.json(), expected, f"answer to who offers {alpn}")
        with shake(agent.port, believing(AUTHORITY, alpn=["h2", "http/1.1"])) as stream:
            equal(stream.selected_alpn_protocol(), "h2", "what is agreed upon where both are offered")
        metrics = agent.settled(requests=7)
        equal(metrics.sum("ml_model_predictions_total"), 7, "predictions that were read")
        equal(metrics.one(FAILURES), 0, "handshakes that failed")
        equal(metrics.sum("sidelight_request_failures_total"), 0, "requests that failed")


@case
def every_kind_of_key_serves_both_versions_of_tls_and_no_older_one():
    with Model() as model:
        for kind in ["pkcs8", "pkcs1", "sec1", "ed25519"]:
            with agent_with({"tls": listening(AUTHORITY.issue(kind=kind))}, model.port) as agent:
                for version, name in [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]:
                    context = believing(AUTHORITY, version)
                    with shake(agent.port, context) as stream:
                        equal(stream.version(), name, f"version with a key of {kind}")
                    equal(ask(agent.port, context, "GET", "/health").status, 200, f"status with {kind} over {name}")
                metrics = agent.settled(requests=2)
                equal(metrics.one(FAILURES), 0, "handshakes that failed")
                old = ["openssl", "s_client", "-connect", f"{HOST}:{agent.port}", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"]
                done = subprocess.run(old, input=b"", capture_output=True, timeout=h.PATIENCE)
                check(done.returncode != 0, "TLS 1.1 was spoken")
                wait_until(lambda: agent.metrics().one(FAILURES) == 1, "the old version to be counted")


@case
def a_client_that_does_not_speak_as_the_port_does_is_refused_and_counted():
    with Model() as model:
        with agent_with({"tls": listening(AUTHORITY.issue())}, model.port) as agent:
            for said in [b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 600]:
                with socket.create_connection((HOST, agent.port), timeout=h.PATIENCE) as stream:
                    stream.sendall(said)
                    check(b"HTTP/" not in read_all(stream), "HTTP without TLS was answered")
            with socket.create_connection((HOST, agent.port)):
                pass
            wait_until(lambda: agent.metrics().one(FAILURES) == 4, "four failed handshakes to be counted")
            equal(ask(agent.port, believing(AUTHORITY), "GET", "/health").status, 200, "status for who speaks TLS")
            agent.settled(requests=1)
        with agent_with({}, model.port) as agent:
            check(refused(agent.port, believing(AUTHORITY)), "a port without TLS shook hands")
            equal(agent.send("GET", "/health").status, 200, "status for who does not speak TLS")
            metrics = agent.settled(requests=2)
            equal(metrics.by("sidelight_request_failures_total", "fault"), {"client": 1}, "failures")
            equal(metrics.one(FAILURES), 0, "handshakes that failed where there is no TLS")


@case
def only_a_client_with_a_certificate_from_who_is_believed_is_let_in():
    tls = listening(AUTHORITY.issue(), client_ca_file=str(OTHER.cert))
    with Model() as model, agent_with({"tls": tls}, model.port) as agent:
        failed = 0
        for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            own = believing(AUTHORITY, version, own=OTHER.issue("client"))
            equal(ask(agent.port, own, "GET", "/health").status, 200, "status with a certificate")
            check(refused(agent.port, believing(AUTHORITY, version)), "a client without a certificate was let in")
            strange = believing(AUTHORITY, version, own=AUTHORITY.issue("client"))
            check(refused(agent.port, strange), "a client with a certificate of another authority was let in")
            failed += 2
            wait_until(lambda: agent.metrics().one(FAILURES) == failed, "both to be counted")  # noqa: B023
        client = OTHER.issue("client")
        came = curl(AUTHORITY, agent.port, "/health", "--http2", "--cert", client.cert, "--key", client.key)
        equal(came[:2], ("2", 200), "answer over HTTP/2 with a certificate")
        agent.settled(requests=3)


@case
def a_handshake_that_never_ends_is_cut_off_and_counted():
    tls = {"tls": listening(AUTHORITY.issue()), "head_timeout": "1s"}
    with Model() as model, agent_with(tls, model.port) as agent:
        hello = client_hello()
        for said in [b"", hello[:1], hello[:100], hello]:
            with socket.create_connection((HOST, agent.port), timeout=h.PATIENCE) as stream:
                begun = time.monotonic()
                stream.sendall(said)
                read_all(stream)
                check(time.monotonic() - begun >= 0.9, "it was cut off before its time")
        wait_until(lambda: agent.metrics().one(FAILURES) == 4, "all of them to be counted")
        equal(ask(agent.port, believing(AUTHORITY), "GET", "/health").status, 200, "status afterwards")
        agent.settled(requests=1)


def client_hello():
    """How a client begins, from a handshake in memory."""
    out = ssl.MemoryBIO()
    stream = believing(AUTHORITY).wrap_bio(ssl.MemoryBIO(), out, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        stream.do_handshake()
    return out.read()


@case
def a_hundred_half_handshakes_hold_up_nobody():
    tls = {"tls": listening(AUTHORITY.issue()), "head_timeout": "2s"}
    with Model() as model, agent_with(tls, model.port) as agent, contextlib.ExitStack() as stack:
        hello = client_hello()
        for i in range(100):
            stream = stack.enter_context(socket.create_connection((HOST, agent.port), timeout=h.PATIENCE))
            stream.sendall(hello[:i * 5])
        context = believing(AUTHORITY)
        sent = 0
        while sent < 100 or agent.metrics().one(FAILURES) < 100:
            equal(ask(agent.port, context, "POST", "/predict", ROWS[sent % 150]).status, 200, "status meanwhile")
            sent += 1
            check(sent < 100_000, "half handshakes are not counted")
        metrics = agent.settled(requests=sent)
        equal(metrics.one(FAILURES), 100, "handshakes that failed")
        equal(metrics.sum("ml_model_predictions_total"), sent, "predictions that were read")


# -- the upstream --------------------------------------------------------------------------------

def to(model, name=HOST, **tls):
    return {"upstream": f"https://{name}:{model.port}", "upstream_tls": {k: str(v) for k, v in tls.items()}}


@contextlib.contextmanager
def unready(proxy):
    """An agent whose model server is not believed."""
    with agent_with(proxy, ready=False) as agent:
        wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
        yield agent


@case
def an_upstream_is_believed_by_its_authority_and_its_name():
    with Model(serving(AUTHORITY.issue())) as model, Model(serving(AUTHORITY.issue("model"))) as named:
        for proxy in [to(model, ca_file=AUTHORITY.cert), to(named, ca_file=AUTHORITY.cert, server_name="model")]:
            with agent_with(proxy) as agent:
                for row in ROWS[:20]:
                    h.predictions(agent.send("POST", "/predict", row))
                equal(agent.settled(requests=20).sum("ml_model_predictions_total"), 20, "predictions")
        for proxy in [to(model, ca_file=OTHER.cert), to(named, ca_file=AUTHORITY.cert), to(model),
                      to(model, ca_file=AUTHORITY.cert, server_name="model")]:
            with unready(proxy) as agent:
                for path in ["/health", "/predict"]:
                    answer = agent.send("POST", path, ROWS[0])
                    equal((answer.status, answer.header("x-sidelight-reason")), (502, "upstream_tls"), f"{proxy}")
                equal(agent.ask("GET", "/ready").status, 503, "readiness")
                metrics = agent.settled(requests=2)
                equal(metrics.by("sidelight_request_failures_total", "reason", fault="upstream"), {"upstream_tls": 2},
                      "failures")


@case
def an_upstream_that_is_not_verified_is_warned_about():
    with Model(serving(OTHER.issue("other"))) as model:
        proxy = to(model)
        proxy["upstream_tls"]["verify"] = False
        with agent_with(proxy) as agent:
            equal(agent.send("GET", "/health").status, 200, "status")
            said = [event["detail"] for event in agent.events() if event["message"] == "configuration"]
            check(any("proxy.upstream_tls.verify" in detail for detail in said), f"no warning: {said}")
            agent.settled(requests=1)


@case
def an_upstream_that_speaks_no_tls_is_told_from_one_that_is_gone():
    with Model() as model, unready(to(model, ca_file=AUTHORITY.cert)) as agent:
        answer = agent.send("GET", "/health")
        equal((answer.status, answer.header("x-sidelight-reason")), (502, "upstream_tls"), "an upstream without TLS")
        model.shutdown()
        model.server_close()
        answer = agent.send("GET", "/health")
        equal((answer.status, answer.header("x-sidelight-reason")), (502, "upstream_refused"), "none at all")
        agent.settled(requests=2)


@case
def an_upstream_that_asks_for_a_certificate_gets_that_of_the_proxy():
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        context = serving(AUTHORITY.issue(), clients_of=OTHER)
        context.maximum_version = version
        with Model(context) as model:
            own = OTHER.issue("the-proxy")
            with agent_with(to(model, ca_file=AUTHORITY.cert, cert_file=own.cert, key_file=own.key)) as agent:
                equal(agent.send("GET", "/who").json(), {"who": "the-proxy"}, "whom the upstream sees")
                agent.settled(requests=1)
            with unready(to(model, ca_file=AUTHORITY.cert)) as agent:
                answer = agent.send("GET", "/who")
                # in TLS 1.3 the refusal comes behind the handshake, and may be lost to a reset
                reasons = {"upstream_tls"} | ({"upstream_reset"} if version is ssl.TLSVersion.TLSv1_3 else set())
                equal(answer.status, 502, f"status without a certificate over {version.name}")
                check(answer.header("x-sidelight-reason") in reasons, lambda: f"{answer.headers} over {version.name}")  # noqa: B023
                agent.settled(requests=1)


@contextlib.contextmanager
def nghttpx(model):
    """A server of HTTP/2 and HTTP/1.1 over TLS in front of `model`."""
    files, port = AUTHORITY.issue(), h.free_port()
    command = ["nghttpx", f"--frontend={HOST},{port}", f"--backend={HOST},{model.port}", "--workers=1",
               "--conf=/dev/null", "--errorlog-file=/dev/null", files.key, files.cert]
    with Process(command, "nghttpx") as process:
        process.port = port
        wait_until(lambda: ask(port, believing(AUTHORITY), "GET", "/health").status == 200, "nghttpx")
        yield process


@case
def an_upstream_of_both_versions_is_spoken_to_in_that_of_the_client():
    with Model() as model, nghttpx(model) as both:
        proxy = {**to(both, ca_file=AUTHORITY.cert), "tls": listening(AUTHORITY.issue())}
        with agent_with(proxy) as agent:
            sent = 0
            for option, version in [("--http2", "2"), ("--http1.1", "1.1"), ("--http2", "2")]:
                came, status, said = curl(AUTHORITY, agent.port, "/echo", option)
                equal((came, status), (version, 200), "answer")
                via = [value for name, value in h.json.loads(said)["fields"] if name.lower() == "via"]
                equal(via, [f"{version} nghttpx"], "the version that reached the upstream")
                sent += 1
            body = secrets_of(2 * MIB)
            with tempfile.NamedTemporaryFile() as file:
                file.write(body)
                file.flush()
                came = curl(AUTHORITY, agent.port, "/mirror", "--http2", "--data-binary", f"@{file.name}")
            equal(came[:2], ("2", 200), "answer over HTTP/2 at both ends")
            check(came[2] == body, "a body changed over HTTP/2 at both ends")
            agent.settled(requests=sent + 1)


# -- what passes ---------------------------------------------------------------------------------

@contextlib.contextmanager
def both_ends(**more):
    """An agent with TLS towards clients and its upstream."""
    with Model(serving(AUTHORITY.issue())) as model:
        proxy = {**to(model, ca_file=AUTHORITY.cert), "tls": listening(AUTHORITY.issue()), **more}
        with agent_with(proxy) as agent:
            yield agent


def secrets_of(size):
    return os.urandom(size)


@case
def twenty_mebibytes_pass_whole_both_ways():
    body = secrets_of(20 * MIB)
    with both_ends() as agent, tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            answer = ask(agent.port, believing(AUTHORITY, version), "POST", "/mirror", body)
            check(answer.body == body, f"{len(answer.body)} bytes came back over {version.name}, or others")
        for option in ["--http1.1", "--http2"]:
            _, status, said = curl(AUTHORITY, agent.port, "/mirror", option, "--data-binary", f"@{file.name}",
                                   "--header", "Expect:")
            equal(status, 200, "status")
            check(said == body, f"{len(said)} bytes came back by curl {option}, or others")
        agent.settled(requests=4)


@case
def a_client_that_reads_slowly_gets_all_and_costs_no_memory():
    body = secrets_of(20 * MIB)
    with both_ends() as agent:
        context = believing(AUTHORITY)
        ask(agent.port, context, "POST", "/mirror", body[:MIB])
        with shake(agent.port, context, SO_RCVBUF=1 << 18) as stream:
            head = f"POST /mirror HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n"
            stream.sendall(head.encode())
            stream.sendall(body)
            before = h.resident_bytes(agent.pid)
            time.sleep(2)
            grown = h.resident_bytes(agent.pid) - before
            check(grown < 8 * MIB, f"the agent grew by {grown} bytes for a client that does not read")
            equal(agent.metrics().one("ml_api_active_requests"), 1, "requests in flight")
            response = http.client.HTTPResponse(stream)
            response.begin()
            came = hashlib.sha256()
            for _ in range(100):
                came.update(response.read(4096))
                time.sleep(0.005)
            came.update(response.read())
            equal(came.digest(), hashlib.sha256(body).digest(), "digest of what came")
        agent.settled(requests=2)


@case
def a_websocket_is_a_tunnel_over_tls_on_either_side():
    data = secrets_of(MIB)
    with Model() as plain, Model(serving(AUTHORITY.issue())) as secured:
        towards_clients = {"tls": listening(AUTHORITY.issue())}
        to_upstream = to(secured, ca_file=AUTHORITY.cert)
        for proxy, port in [(towards_clients, plain.port), (to_upstream, None), ({**towards_clients, **to_upstream}, None)]:
            with agent_with(proxy, port) as agent:
                stream = socket.create_connection((HOST, agent.port), timeout=h.PATIENCE)
                if "tls" in proxy:
                    stream = believing(AUTHORITY).wrap_socket(stream, server_hostname=HOST)
                with stream:
                    tunnel(stream, data)
                metrics = agent.settled(requests=1)
                equal(metrics.by("ml_api_requests_total", "status_code"), {"101": 1}, "statuses")


def tunnel(stream, data):
    key = base64.b64encode(os.urandom(16)).decode()
    early = b"right behind the head"
    stream.sendall(f"GET /socket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                   f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode() + early)
    reader = stream.makefile("rb")
    check(reader.readline().startswith(b"HTTP/1.1 101"), "no tunnel")
    while reader.readline() not in (b"\r\n", b""):
        pass
    equal(reader.read(len(early)), early, "what came with the head")
    for pause in [0, PARKS]:
        time.sleep(pause)
        # in turn: Python before 3.13 may not write and read one TLS connection in two threads
        for at in range(0, len(data), 65536):
            piece = data[at:at + 65536]
            stream.sendall(piece)
            check(reader.read(len(piece)) == piece, "a tunnel changed what went through it")


@case
def a_connection_that_is_parked_wakes():
    with both_ends() as agent:
        for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            with shake(agent.port, believing(AUTHORITY, version)) as stream:
                reader = stream.makefile("rb")
                for i in range(12):
                    stream.sendall(head(f"/status?code={200 + i}"))
                    equal(answered(reader), 200 + i, "status")
                    time.sleep(PARKS if i % 3 else 0)
                # two in one record: the second is in no socket when the first is answered
                stream.sendall(head("/status?code=201") + head("/status?code=202"))
                equal([answered(reader), answered(reader)], [201, 202], "statuses of two at once")
                time.sleep(PARKS)
                for byte in head("/status?code=203"):
                    stream.sendall(bytes([byte]))
                equal(answered(reader), 203, "status of a request in records of a byte")
        agent.settled(requests=30)


def head(path):
    return f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode()


def answered(reader):
    """Status of the next answer, its body read."""
    status = int(reader.readline().split()[1])
    length = 0
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    reader.read(length)
    return status


@case
def a_parked_connection_wakes_for_a_new_key_and_parks_again():
    with both_ends() as agent:
        command = ["openssl", "s_client", "-connect", f"{HOST}:{agent.port}", "-CAfile", str(AUTHORITY.cert), "-tls1_3"]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            said = b""
            for turn in range(1, 4):
                client.stdin.write(b"GET /large?bytes=7 HTTP/1.1\r\nhost: a\r\n\r\n")
                client.stdin.flush()
                while said.count(b"HTTP/1.1 200") < turn or not said.endswith(bytes(7)):
                    ready, _, _ = select.select([client.stdout], [], [], h.PATIENCE)
                    data = os.read(client.stdout.fileno(), 65536) if ready else b""
                    check(data, lambda: f"no answer {turn}: {said[-300:]!r}")  # noqa: B023
                    said += data
                time.sleep(PARKS)
                # K: a new key, and asks for one of the other side
                client.stdin.write(b"K\n")
                client.stdin.flush()
                time.sleep(PARKS)
        finally:
            client.kill()
            client.wait()
        equal(client.stderr.read().count(b"KEYUPDATE"), 3, "new keys")
        agent.settled(requests=3)


# -- certificates that change, and the end -------------------------------------------------------

class Load:
    """Threads that ask until told to stop: every other on a connection of its own for each request."""

    def __init__(self, port, threads=4):
        self.port, self.stopping, self.sent, self.faults = port, threading.Event(), [0] * threads, []
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, i):
        context = believing(AUTHORITY)
        client = Https(self.port, context)
        client.connection.connect()
        first = client.connection.sock
        while not self.stopping.wait(0.002):
            try:
                self.sent[i] += 1
                one = client if i % 2 else Https(self.port, context)
                h.predictions(one.request("POST", "/predict", ROWS[self.sent[i] % 150]))
                if one is not client:
                    one.close()
                elif client.connection.sock is not first:
                    self.faults.append("a connection that was open was closed")
            except Exception as error:  # noqa: BLE001 - whatever it is, a request was lost
                self.faults.append(repr(error))
        client.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(h.PATIENCE)
        check(not self.faults, lambda: f"{len(self.faults)} requests lost: {self.faults[:5]}")
        return sum(self.sent)


def shown(port):
    """Serial of the certificate that a new connection gets."""
    with shake(port, believing(AUTHORITY)) as stream:
        return stream.getpeercert()["serialNumber"]


def put(files, new):
    """Replaces both files, each at once."""
    for file, other in zip(files, new):
        beside = file.with_suffix(".new")
        beside.write_bytes(other.read_bytes())
        beside.replace(file)


@case
def certificates_are_replaced_under_traffic_and_damaged_ones_are_not_used():
    files = AUTHORITY.issue()
    reloads = "sidelight_config_reloads_total"
    with Model() as model, agent_with({"tls": listening(files)}, model.port) as agent:
        load = Load(agent.port)
        with shake(agent.port, believing(AUTHORITY)) as kept:
            reader = kept.makefile("rb")
            before, seen, asked = kept.getpeercert()["serialNumber"], set(), 0
            for kind in ["sec1", "pkcs1", "ed25519"]:
                put(files, AUTHORITY.issue(kind=kind))
                wait_until(lambda: shown(agent.port) not in {before, *seen}, "the new certificate")
                seen.add(shown(agent.port))
                kept.sendall(head("/health"))
                equal(answered(reader), 200, "status on the connection from before")
                asked += 1
            now = shown(agent.port)
            good = files.cert.read_bytes()
            wrong = {"garbage": b"not a certificate\n", "half": good[:len(good) // 2],
                     "another key's": AUTHORITY.issue().cert.read_bytes()}
            for i, (name, content) in enumerate(wrong.items(), 1):
                files.cert.write_bytes(content)
                wait_until(lambda: agent.metrics().one(reloads, outcome="refused") == i, f"{name} to be refused")  # noqa: B023
                equal(shown(agent.port), now, f"certificate shown with {name} in the file")
            files.cert.write_bytes(good)
            kept.sendall(head("/health"))
            equal(answered(reader), 200, "status on the connection from before, at the end")
            asked += 1
        sent = load.stop() + asked
        metrics = agent.settled(requests=sent)
        equal(metrics.by("ml_api_requests_total", "status_code"), {"200": sent}, "statuses")
        equal(metrics.one(reloads, outcome="applied"), 3, "reloads applied")
        text = "\n".join(agent.lines)
        check("PRIVATE KEY" not in text and "BEGIN CERT" not in text, "a key or certificate is in the log")


@case
def a_drain_ends_what_is_under_way_over_tls_and_waits_for_no_handshake():
    with both_ends(head_timeout="1m") as agent, contextlib.ExitStack() as stack:
        context = believing(AUTHORITY)
        idle = stack.enter_context(shake(agent.port, context))
        half = stack.enter_context(socket.create_connection((HOST, agent.port), timeout=h.PATIENCE))
        half.sendall(client_hello()[:50])
        jobs = [lambda: ask(agent.port, context, "GET", "/slow?ms=2000").status,
                lambda: curl(AUTHORITY, agent.port, "/slow?ms=2000", "--http2")[1]]

        def leave():
            wait_until(lambda: agent.metrics().one("ml_api_active_requests") == 2, "both requests")
            agent.signal(signal.SIGTERM)
            return agent.wait()

        equal(h.in_parallel([*jobs, leave]), [200, 200, 0], "statuses, and that of the agent")
        equal(read_all(idle), b"", "what an idle client gets")
        lines = [event for event in agent.events() if event.get("status_code") == 200]
        equal(len(lines), 2, "lines of requests")


if __name__ == "__main__":
    h.main("TLS")
